#!/bin/sh
# The other half of guest-init.sh: loads drivers, then waits to end the guest. busybox's poweroff, halt
# and reboot signal a process named `linuxrc`, where there is one, rather than the first process; and
# that is well, because a shell that waits for a foreground process would not see the signal.
exec </dev/null >/dev/null 2>&1

leave() {
  trap '' TERM USR1 USR2
  kill -TERM -1
  sync
  "$1" -f
}
trap 'leave poweroff' USR1 USR2
trap 'leave reboot' TERM

modprobe -a button evdev
modprobe -a $(cat /sys/bus/pci/devices/*/modalias)
[ -d /sys/bus/virtio ] && modprobe -a $(cat /sys/bus/virtio/devices/*/modalias)
acpid -f -c /etc/acpi -l /dev/null &
while true; do wait; sleep 1; done
