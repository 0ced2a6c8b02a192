#!/bin/sh
# In a mount namespace of its own: folders as sites have them, purged by the package's script, and what is left of them.
# $1: the script.
set -e
for place in /var/lib /var/log /etc/apt/preferences.d; do mount -t tmpfs tmpfs "$place"; done
# those that would speak to the machine
bin=/var/lib/bin
mkdir "$bin"
for name in deb-systemd-helper deluser getent; do
	printf '#!/bin/sh\nexit 2\n' >"$bin/$name"
	chmod +x "$bin/$name"
done
agent=/var/lib/sallyport-agent
mkdir -p "$agent/enrolment" "$agent/usb" "$agent/zz" /var/log/sallyport-agent /var/lib/elsewhere
for file in "$agent/enrolment/key" "$agent/spool.db" "$agent/zz/last" /var/lib/elsewhere/own; do echo secret >"$file"; done
ln -s /var/lib/elsewhere /var/lib/sallyport-ids
mount -t tmpfs tmpfs /var/log/sallyport-agent
echo drop >/var/log/sallyport-agent/drops.json
mount -t tmpfs tmpfs "$agent/usb"
echo image >"$agent/usb/a.img"
code=0
PATH=$bin:$PATH sh "$1" purge || code=$?
echo "ended $code"
find /var/lib /var/log -mindepth 1 -path "$bin" -prune -o -print | sort
