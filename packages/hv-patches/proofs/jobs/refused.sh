# Xen without the series, or without the option: there is nothing to read, and no device to be had.
say "lowmem $(xenhypfs ls / 2>/dev/null | grep -c lowmem)"
config primary 256 5a11e9a7-0000-4000-8000-00000000d1ec dma 'pci=["00:05.0"]' >/dev/null
create primary
config plain 256 5a11e9a7-0000-4000-8000-00000000beef idle >/dev/null
create plain
wait_guest plain "idle" 40
show plain
destroy plain
xl dmesg | tr -d '\r' | sed 's/^/@@ boot /' >$report
