#!/bin/sh
# install.sh PROGRAM PACKAGE...
# Install a program from Debian's packages where it is missing and this user can.
PATH="$PATH:/usr/sbin:/usr/local/sbin"
program=$1
shift

if command -v "$program" >/dev/null; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$program is missing. On Debian, root installs it with: apt-get install $*" >&2
    exit 0
fi
echo "installing $program ..."
apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
