#!/bin/bash
# Second program of dom0: Xen's daemons without systemd, then the job. Facts go to the first serial line, one a line.
export PATH=/usr/lib/xen-4.20/bin:/usr/sbin:/usr/bin HOME=/root TERM=dumb
J=/run/job
exec >/run/dom0.log 2>&1
report=/dev/ttyS0

say() { echo "@@ $*" >"$report"; }
failed() { say "FAILED $*"; }
uptime_s() { cut -d' ' -f1 /proc/uptime; }

say "INIT $(uptime_s)"
mkdir -p /dev/pts /run/xen /run/lock /var/lib/xen /var/log/xen
# Where xenconsoled keeps what a guest says. Its console is Xen's, not an emulated serial port: each byte of that costs
# several trips to dom0, and so does the screen that SeaBIOS paints there when there is no other (nographic=1).
log_of() { echo "/run/guest-$1.log"; }
mount -t devpts devpts /dev/pts
hide=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^hide=//p')
modprobe -a xen-evtchn xen-gntdev xen-gntalloc xenfs xen-privcmd
modprobe xen-pciback passthrough=1 ${hide:+hide=$hide}
mount -t xenfs xenfs /proc/xen
xenstored --pid-file /run/xen/xenstored.pid || failed xenstored
xen-init-dom0 || failed xen-init-dom0
xenconsoled --pid-file=/run/xen/xenconsoled.pid --log=guest --log-dir=/run
/usr/libexec/xen-qemu-system-i386 -xen-domid 0 -xen-attach -name dom0 -nographic -M xenpv -daemonize \
  -monitor /dev/null -serial /dev/null -parallel /dev/null -nodefaults -no-user-config \
  -pidfile /run/xen/qemu-dom0.pid || failed "dom0's qemu"
say "TOOLS $(uptime_s)"

uuid=$(xl info | tr ' ' '\n' | sed -n 's/^lowmem_uuid=//p')

# Processor 0 is dom0's; where there are more, the primary guest has 1 and the others share 2.
processors=$(xl info | sed -n 's/^nr_cpus *: //p')
cpus_of() {
  [ "$processors" -ge 3 ] || return 0
  case $1 in primary) echo 'cpus="1"' ;; *) echo 'cpus="2"' ;; esac
}

# config NAME MIB UUID GUEST-JOB [LINE...]: an xl configuration, and its path.
config() {
  local name=$1 mib=$2 id=$3 job=$4
  shift 4
  {
    cat <<END
name="$name"
type="hvm"
memory=$mib
vcpus=1
kernel="$J/vmlinuz"
ramdisk="$J/guest.cpio"
cmdline="console=hvc0 panic=1 quiet iomem=relaxed job=$job"
vga="none"
vnc=0
sdl=0
on_poweroff="destroy"
on_reboot="destroy"
on_crash="destroy"
uuid="$id"
tsc_mode="native"
cpuid="host,rdtscp=0"
$(cpus_of "$name")
END
    printf '%s\n' "$@"
  } >"/run/$name.cfg"
  echo "/run/$name.cfg"
}

# create NAME: starts it; says how long that took.
create() {
  local start=$(date +%s%N) rc
  rm -f "$(log_of "$1")"
  timeout 240 xl create "/run/$1.cfg" >"/run/$1.out" 2>&1
  rc=$?
  say "create $1 rc=$rc ms=$((($(date +%s%N) - start) / 1000000)) $(grep -v '^Parsing' "/run/$1.out" | sed 's/^libxl: error: [^:]*:[0-9]*:\(Domain [0-9]*:\)*//' | head -2 | tr '\n' ';')"
  [ $rc = 0 ] || {
    sed "s/^/@@ out $1 /" "/run/$1.out"
    tail -n 5 "/var/log/xen/qemu-dm-$1.log" 2>/dev/null | sed "s/^/@@ model $1 /"
    dmesg | grep -E 'segfault|traps:|general protection|Out of memory' | tail -n 3 | sed "s/^/@@ kernel $1 /"
  } >"$report"
  return $rc
}

# wait_guest NAME WORD SECONDS: until the guest's console has "## WORD"; thrice the seconds on a busy machine.
wait_guest() {
  local i log
  log=$(log_of "$1")
  for i in $(seq 1 $(($3 * 6))); do
    grep -aq "^## $2" "$log" 2>/dev/null && return 0
    sleep 0.5
  done
  say "late $1 $2"
  tail -n 5 "$log" | tr -d '\r' | sed "s/^/@@ last $1 /" >"$report"
  return 1
}

# show NAME: the guest's facts.
show() { tr -d '\r' <"$(log_of "$1")" | sed -n "s/^## /@@ guest $1 /p" >"$report"; }

destroy() {
  timeout 180 xl destroy "$1" || failed "destroy $1"
  local i
  for i in $(seq 1 50); do
    xl domid "$1" >/dev/null 2>&1 || return 0
    sleep 0.2
  done
  failed "$1 is still there"
}

leaf() { say "leaf $1 $2 $(xenhypfs cat "/lowmem/$2" 2>&1)"; }
leaves() {
  local name
  for name in layout pool holes owner devices pool_pages used_pages audit; do leaf "${1:-0}" $name; done
}
xen_lines() { xl dmesg | tr -d '\r' | grep -a "$1" | sed "s/^(XEN) //; s/^\[[^]]*\] //; s/^/@@ xen /" >"$report"; }

. $J/job.sh
say DONE
sync
echo o >/proc/sysrq-trigger
sleep 30
