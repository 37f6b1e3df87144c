#!/bin/sh
# The first process of Vireo's default guest: a root shell on the console as soon as can be. Drivers
# are loaded meanwhile. The kernel argument vireo.run="COMMAND" has that run instead of the shell.
# When either ends, so does the guest.
export PATH=/bin HOME=/root TERM=linux PS1='vireo:\w\$ '
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys

/linuxrc &
helper=$!

read -r arguments </proc/cmdline
case $arguments in
*vireo.run=\"*)
  run=${arguments#*vireo.run=\"}
  run=${run%%\"*}
  ;;
*vireo.run=*)
  run=${arguments#*vireo.run=}
  run=${run%% *}
  ;;
*)
  read -r _ _ release _ </proc/version
  echo "Vireo's default guest: Linux $release and busybox. Leave with exit or poweroff."
  ;;
esac

mkdir /dev/pts
mount -t devpts devpts /dev/pts
cd /root
# cttyhack makes the terminal behind the console the controlling one, so that the shell has job control.
# In the foreground: a shell has its background processes ignore Ctrl-C, for good.
if [ -n "$run" ]; then
  setsid cttyhack sh -c "$run"
else
  setsid cttyhack sh
fi
kill -USR2 $helper
wait
