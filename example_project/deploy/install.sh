#!/bin/sh
# install.sh PROGRAM PACKAGE...
# Install a program, or a file given by its path, from Debian packages, if it is missing and the
# user is root. The services that come with the packages are not started.
set -e
for folder in /usr/sbin /usr/local/sbin /usr/lib/postgresql/*/bin; do
    PATH="$PATH:$folder"
done
program=$1
shift

if command -v "$program" >/dev/null || [ -e "$program" ]; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$program is missing. On Debian, root installs it with: apt-get install $*" >&2
    exit 0
fi
echo "installing $program ..."

# Packages run this script before they start a service. Status 101 forbids it.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
fi
install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}
# The list of packages is fetched only if the installation fails without it.
install "$@" 2>/dev/null || { apt-get update -qq && install "$@"; }
