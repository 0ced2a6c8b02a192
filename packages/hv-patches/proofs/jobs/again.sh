# Two primary guests, one after the other, while a plain one runs: scrubbing, and a death without the toolstack.
config plain 256 5a11e9a7-0000-4000-8000-00000000beef idle >/dev/null
create plain
config primary 1024 "$uuid" "dma+irq+scan=12+fill=400+scan=12" 'pci=["00:05.0"]' >/dev/null
create primary
wait_guest primary "done" 120
show primary
leaf 3 audit
destroy primary

config primary 1024 "$uuid" "dma+irq+scan=12" 'pci=["00:05.0"]' >/dev/null
create primary
wait_guest primary "done" 120
wait_guest plain "idle" 30
show primary
show plain
leaf 4 audit

# Xen alone has to stop the device before it frees the pages. Those that the device model maps stay until it ends.
"$J/identity" "$(xl domid primary)" kill | sed 's/^/@@ identity /' >$report
for i in $(seq 1 100); do [ "$(xenhypfs cat /lowmem/used_pages)" -lt 1000 ] && break; sleep 0.2; done
leaf 5 used_pages
destroy primary
leaf 6 used_pages
destroy plain
xen_lines 'lowmem\|ASSERT\|d[0-9]*: *[0-9]*('
