#!/bin/sh
# install.sh PROGRAM PACKAGE...
# Install a program, or a file that is named by its path, from Debian's packages where it is missing
# and this user can. The services that come with the packages are not started.
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

# what packages ask before they start a service; 101 means that they may not
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
# the list of packages is fetched only where there is none, or an old one
install "$@" 2>/dev/null || { apt-get update -qq && install "$@"; }
