#!/usr/bin/env bash
# Installs the system packages that no wheel brings, when it may; else says what will be skipped and how to get it.
set -euo pipefail

missing=()
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing+=(chromium)
ldconfig -p 2>/dev/null | grep -q 'libzbar\.so\.0' || missing+=(libzbar0)
command -v curl >/dev/null || missing+=(curl)
command -v fusermount3 >/dev/null || missing+=(fuse3)
command -v systemd-analyze >/dev/null || missing+=(systemd)
[ -d /usr/share/X11/xkb/symbols ] || missing+=(xkb-data)
# No package brings this one: it is the kernel's, or whoever started the container gives it.
if [ ! -r /dev/fuse ] || [ ! -w /dev/fuse ]; then
  echo "No /dev/fuse here, or it is not yours: the power cuts are not tried. To try them: sudo modprobe fuse; in a container start it with --device /dev/fuse --cap-add SYS_ADMIN" >&2
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing ${missing[*]} …" >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
  exit 0
fi
for package in "${missing[@]}"; do
  case $package in
    chromium) echo "No Chromium here: the tests of the screen are skipped. To run them: sudo apt install chromium" >&2 ;;
    curl) echo "No curl here: the test of the plug-in guide's commands is skipped. To run it: sudo apt install curl" >&2 ;;
    fuse3) echo "No FUSE here: the power cuts are skipped. To try them: sudo apt install fuse3" >&2 ;;
    systemd) echo "No systemd-analyze here: the units of the services are not checked. To check them: sudo apt install systemd" >&2 ;;
    xkb-data) echo "No layouts of X.Org here: ours are not compared with them. To compare: sudo apt install xkb-data" >&2 ;;
    libzbar0) echo "No libzbar here: the tests of the second decoder are skipped. To run them: sudo apt install libzbar0" >&2 ;;
  esac
done
