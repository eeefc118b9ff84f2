#!/bin/sh
# Install nginx from Debian's packages where it is missing and this user can.
PATH="$PATH:/usr/sbin:/usr/local/sbin"

if command -v nginx >/dev/null; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "nginx is missing. On Debian, root installs it with: apt-get install nginx-light" >&2
    exit 0
fi
echo "installing nginx ..."
apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y nginx-light >/dev/null
