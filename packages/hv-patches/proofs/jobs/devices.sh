# Real drivers and a display: e1000 by INTx, e1000e by MSI-X, bochs-display beside the device model's VGA.
# The emulated VGA's 16 MiB are taken off the end of memory and moved by the device model: they must lie above the mark.
config primary 1040 "$uuid" "net=$PORT+display" 'pci=["00:05.0","00:06.0","00:07.0"]' >/dev/null
sed -i 's/^vga=.*/vga="stdvga"/; s/^vnc=.*/vnc=1/' /run/primary.cfg
create primary
leaf 1 devices
wait_guest primary "end net" 90
xl debug-keys i
grep -E '00:0[567]\.0|(eth|ens|enp)[0-9]' /proc/interrupts | sed 's/^/@@ line /' >"$report"
say "dom0irq $(grep -cE '00:0[567]\.0|(eth|ens|enp)[0-9]' /proc/interrupts)"
wait_guest primary "done" 40
show primary
say "fb $(ls /dev/fb* /dev/dri 2>/dev/null | wc -l) $(dmesg | grep -c 'efifb\|vesafb\|simple-framebuffer')"
say "text $(dmesg | grep -c 'Console: colour VGA')"
say PICTURE
sleep 10
destroy primary
xen_lines 'lowmem\|d[0-9]*: *[0-9]*('
