# One guest, one DMA: for the other ways to boot.
leaves
config primary ${MIB:-1024} "$uuid" "dma+irq" 'pci=["00:05.0"]' >/dev/null
create primary
wait_guest primary "done" 60
show primary
leaf 1 used_pages
leaf 1 audit
destroy primary
xen_lines lowmem
