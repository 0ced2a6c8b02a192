# The series as it ships: layout, DMA, interrupt, guards, what is left when the guest is gone.
other=5a11e9a7-0000-4000-8000-00000000beef

leaves
say "free $(xl info | sed -n 's/^free_memory *: //p') caps $(xl info | sed -n 's/^virt_caps *: //p')"

config primary 1024 "$uuid" "dma+irq+peek=0x$XEN_AT,0x100000+msi" 'pci=["00:05.0"]' >/dev/null
create primary
leaves 1
wait_guest primary "end irq" 120
xl debug-keys i
grep '00:05\.0' /proc/interrupts | sed 's/^/@@ line /' >"$report"
say "dom0irq $(grep -c '00:05\.0' /proc/interrupts)"
wait_guest primary "done" 60
xl debug-keys i
show primary
leaf 1 audit

# Guards, while the owner lives.
config stranger 256 $other idle 'pci=["00:06.0"]' >/dev/null
create stranger
config twin 256 "$uuid" idle >/dev/null
create twin
xl pci-attach primary 00:06.0 >/run/out 2>&1
say "attach rc=$? $(leaf 1 devices)"
timeout 60 xl save primary /dev/null >/run/out 2>&1
say "save rc=$?"
"$J/identity" "$(xl domid primary)" 0x8000 | sed 's/^/@@ identity /' >$report
xl list | grep -q '^primary ' && say "alive primary"
leaf 2 audit
config pod 256 "$uuid" idle 'maxmem=512' >/dev/null
destroy primary
leaf 3 owner
leaf 3 used_pages
say "command $(lspci -s 00:05.0 -xx 2>/dev/null | sed -n 's/^00: .. .. .. .. \(.. ..\).*/\1/p')"
create pod && destroy pod

xen_lines 'lowmem\|ASSERT\|d[0-9]*: *[0-9]*('
