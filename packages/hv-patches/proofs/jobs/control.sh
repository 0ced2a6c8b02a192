# A debug build: the same DMA with assertions on, then with the direct map broken on purpose.
for test in 0 1 2; do
  xenhypfs write /params/lowmem_test $test || failed "no lowmem_test"
  config primary 512 "$uuid" dma 'pci=["00:05.0"]' >/dev/null
  [ $test = 2 ] && sed -i 's/^memory=.*/memory=1024/' /run/primary.cfg
  create primary
  wait_guest primary "done" 60
  say "test $test"
  show primary
  leaf $test audit
  destroy primary
done
xen_lines 'lowmem\|ASSERT\|d[0-9]*: *[0-9]*('
