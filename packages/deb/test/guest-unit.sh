#!/bin/bash
# In a mount namespace of its own: a systemd of a user's kind, with the package's units, and a stand-in for xl that leaves a
# monitor behind. Says what became of each step, one `step: answer` a line. Arguments: the units' folder, the cgroup to live in.
set -u
units=$1
group=$2
mkdir -p "$group" && echo $$ >"$group/cgroup.procs" || exit 2
mount -t tmpfs none /run || exit 2
mount -t tmpfs none /usr/local/sbin || exit 2
# systemd asks by this folder whether it is the machine's
mkdir -p /run/systemd/system /run/user
chmod 700 /run/user
cat >/usr/local/sbin/xl <<'END'
#!/bin/sh
echo "$*" >>/run/asked
[ -e /run/refuse ] && exit 3
touch /run/guest
setsid sh -c 'while [ -e /run/guest ]; do sleep 0.1; done' >/dev/null 2>&1 </dev/null &
END
chmod 755 /usr/local/sbin/xl
: >/run/asked
export XDG_RUNTIME_DIR=/run/user HOME=/run SYSTEMD_UNIT_PATH=$units:/usr/lib/systemd/user
/lib/systemd/systemd --user --unit=basic.target --log-target=null >/run/said 2>&1 &
manager=$!
for _ in $(seq 300); do
	[ -S /run/user/systemd/private ] && break
	sleep 0.1
done
[ -S /run/user/systemd/private ] || { cat /run/said >&2; exit 2; }

unit=$(systemd-escape --path --template=sallyport-guest@.service "/etc/xen/win-11 \${HOME}.cfg")
ctl() { timeout 60 systemctl --user "$@"; }
show() { ctl show --property="$1" --value "$unit"; }
tell() { echo "$1: $(show ActiveState), asked $(wc -l </run/asked), monitors $(pgrep -fc 'while \[ -e /run/guest')"; }
until_inactive() {
	for _ in $(seq 300); do
		[ "$(show ActiveState)" = inactive ] && return
		sleep 0.1
	done
}

ctl restart "$unit" && tell started
echo "xl was told: $(cat /run/asked)"
ctl start "$unit" && tell joined
ctl stop "$unit" && tell stopped
ctl restart "$unit" && tell "anew beside what is left"
ctl restart "$unit" && tell "anew while it counts as active"
rm /run/guest
until_inactive
tell "after the guest has ended"
touch /run/refuse
ctl restart "$unit" 2>/dev/null || tell refused
kill "$manager"
wait "$manager"
