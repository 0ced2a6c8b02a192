# On a real machine, from a stick: what can be proved without knowing its devices, and one device if it was named.
report_part=/run/report
mkdir -p $report_part
tries=0
until disk=$(findfs LABEL=HVREPORT 2>/dev/null) || [ $tries -gt 50 ]; do tries=$((tries + 1)); sleep 0.2; done
mount -t vfat "$disk" $report_part || failed "no partition HVREPORT to write the report to"
file=$report_part/report.txt

{
  echo "Sallyport hypervisor self-test, $(date -u +%Y-%m-%dT%H:%MZ by this machine\'s clock)"
  echo "machine: $(cat /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name /sys/class/dmi/id/bios_version 2>/dev/null | tr '\n' ' ')"
  echo "processor: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)"
  echo "xen: $(xl info | sed -n 's/^xen_version *: //p; s/^xen_commandline *: //p' | tr '\n' ' ')"
} >"$file"
note() {
  echo "$*" | tee -a "$file" >/dev/console
  say "report $*"
}
verdict() { note "$1 $2"; [ "$1" = FAILED ] && outcome=FAILED; return 0; }
read_leaf() { xenhypfs cat "/lowmem/$1" 2>/dev/null; }

outcome=PASSED
for name in error layout pool holes owner devices pool_pages used_pages; do
  value=$(read_leaf $name)
  [ -n "$value" ] && note "leaf $name: $value"
done
if [ -z "$(read_leaf layout)" ]; then
  verdict FAILED "the low memory was not set up: $(read_leaf error)"
else
  case $(read_leaf layout) in
  *iommu=hardware) note "NOTE this machine has a working IOMMU: use ordinary pass-through, not this" ;;
  esac
  device=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^device=//p')
  lines=("tsc_mode=\"native\"")
  [ -n "$device" ] && lines+=("pci=[\"$device\"]")
  # A guest that fits, in whole superpages, below the smallest mark offered.
  for round in first second; do
    config primary 512 "$uuid" "dma+irq" "${lines[@]}" >/dev/null
    create primary && verdict passed "the $round guest is created" || verdict FAILED "the $round guest is not created: $(tail -n 3 /run/primary.out | tr '\n' ' ')"
    wait_guest primary done 120 && verdict passed "the $round guest runs" || verdict FAILED "the $round guest does not come up"
    audit=$(read_leaf audit)
    case $audit in
    *"direct=0 "*) verdict FAILED "no page is one to one: $audit" ;;
    *wrong=0) verdict passed "the map is one to one: $audit" ;;
    *) verdict FAILED "the map is not one to one: $audit" ;;
    esac
    if tr -d '\r' <"$(log_of primary)" | grep -aq '^## edu none'; then
      note "not tried: DMA (the guest has no device that this image has a test for)"
    else
      tr -d '\r' <"$(log_of primary)" | grep -aq '^## dma MATCH' && verdict passed "DMA arrives" || verdict FAILED "DMA goes elsewhere"
      tr -d '\r' <"$(log_of primary)" | grep -aq '^## irq count=1' && verdict passed "the interrupt arrives" || verdict FAILED "no interrupt"
    fi
    destroy primary
    [ "$(read_leaf used_pages)" = 0 ] && verdict passed "all pages come back" || verdict FAILED "pages are missing: $(read_leaf used_pages)"
  done
fi
note "OUTCOME $outcome"
{
  echo "--- PCI"; lspci -nn
  echo "--- Xen"; xl dmesg
  echo "--- dom0"; dmesg
} >>"$file"
umount $report_part
sync
