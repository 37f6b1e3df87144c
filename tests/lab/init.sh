# The rest of the lab's start, after root-init.sh: loads KVM, mounts the repository, runs the command,
# and reports its exit status and how many bytes it wrote, so that the runner knows when it has seen
# everything. Comes after the variables REPOSITORY, DIRECTORY, JOB, PARALLEL, TERMINAL, TERM, ROWS, COLUMNS (job.ts).
#
# NVMe namespaces: 1 root, 2 node_modules, 3 the repository, 4 the host's guest images, 5 this script.
# Ports: 1 standard input, 2 output, 3 error, 4 control.

stage() {
  read -r up _ </proc/uptime
  echo "lab-stage $up $1"
}

load() {
  for module; do insmod "/usr/lib/modules/$(uname -r)/kernel/$module.ko" || echo "lab: cannot load $module"; done
}

mount_kernel_file_systems() {
  mount -t proc proc /proc
  mount -t sysfs sys /sys
  mkdir -p /dev/pts /dev/shm /dev/hugepages
  mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
  mount -t tmpfs shm /dev/shm
  mount -t hugetlbfs huge /dev/hugepages
  mount -t tmpfs -o mode=1777,size=90% tmp /tmp
  mount -t tmpfs -o mode=755 run /run
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mount -t securityfs securityfs /sys/kernel/security
  mount -t debugfs debugfs /sys/kernel/debug
  [ -d /sys/fs/selinux ] && mount -t selinuxfs selinuxfs /sys/fs/selinux
  mount -t tracefs tracefs /sys/kernel/tracing
  ln -s /proc/self/fd /dev/fd
  ln -s fd/0 /dev/stdin
  ln -s fd/1 /dev/stdout
  ln -s fd/2 /dev/stderr
}

load_drivers() {
  load drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_legacy_dev \
    drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci drivers/char/virtio_console
  load virt/lib/irqbypass arch/x86/kvm/kvm arch/x86/kvm/kvm-amd
}

# With a thread for each processor: keeps a VM of each kind open. KVM patches the kernel's scheduler when the host's first
# VM comes and when its last one goes, and its own code for the first vCPU with a local APIC and the first without. Now and
# then a processor ran such a patch's breakpoint, long removed, for ever, with its run queue locked (machine.ts).
keep_vms_open() {
  perl -e '
    use constant { CREATE_VM => 0xae01, CREATE_IRQCHIP => 0xae60, CREATE_VCPU => 0xae41 };
    open(my $kvm, "+<", "/dev/kvm") or die "lab: /dev/kvm: $!\n";
    my @kept;
    for my $irqchip (0, 1) {
      my $fd = ioctl($kvm, CREATE_VM, 0) or die "lab: KVM_CREATE_VM: $!\n";
      open(my $vm, "+<&=", $fd) or die "lab: $!\n";
      if ($irqchip) { ioctl($vm, CREATE_IRQCHIP, 0) or die "lab: KVM_CREATE_IRQCHIP: $!\n"; }
      ioctl($vm, CREATE_VCPU, 0) or die "lab: KVM_CREATE_VCPU: $!\n";
      push @kept, $vm;
    }
    open(STDOUT, ">", "/run/vms-open");
    sleep;
  ' &
  until [ -e /run/vms-open ]; do
    kill -0 $! || return
    usleep 5000
  done
}

mount_images() {
  mkdir -p "$REPOSITORY" /tmp/home/.cache/vireo /run/cache
  mount -t ext4 -o ro /dev/nvme0n3 "$REPOSITORY"
  mount -t ext4 -o ro /dev/nvme0n2 "$REPOSITORY/node_modules"
  mkdir -p /run/cache/upper /run/cache/work /run/cache/lower
  mount -t ext4 -o ro /dev/nvme0n4 /run/cache/lower
  mount -t overlay -o lowerdir=/run/cache/lower,upperdir=/run/cache/upper,workdir=/run/cache/work \
    cache /tmp/home/.cache/vireo
}

# Ends what the command left running, so that its output comes to an end.
kill_leftovers() {
  for directory in /proc/[0-9]*; do
    pid=${directory#/proc/}
    case " 1 $relays " in *" $pid "*) continue ;; esac
    [ -n "$(readlink "$directory/exe")" ] && kill -9 "$pid"
  done 2>/dev/null
}

# What dd counted, as in "1048576 bytes (1.0 MB) copied"; fails until dd has ended and said so.
bytes_copied() {
  while read -r count unit _; do
    case $unit in byte | bytes) echo "$count" && return ;; esac
  done <"$1"
  return 1
}

follow_window_size() {
  while read -r _ rows columns; do stty -F /dev/pts/0 rows "$rows" cols "$columns"; done <&3
}

run_job() {
  mkfifo /run/in /run/out /run/err
  # Through pipes, as on the left of `| cat`. The dd of coreutils counts what passes; busybox's does not.
  /usr/bin/dd bs=64k if=/dev/vport0p1 of=/run/in 2>/dev/null &
  relays=$!
  /usr/bin/dd bs=64k if=/run/out of=/dev/vport0p2 2>/run/out.count &
  relays="$relays $!"
  /usr/bin/dd bs=64k if=/run/err of=/dev/vport0p3 2>/run/err.count &
  relays="$relays $!"
  cd "$DIRECTORY" || cd /
  exec 3<>/dev/vport0p4 # a port can be opened only once
  echo started >&3
  # In the foreground, for a shell has its background processes ignore SIGINT.
  if [ -n "$TERMINAL" ]; then
    follow_window_size &
    relays="$relays $!"
    # script gives the command a terminal and passes what that shows; -e passes its status.
    export ROWS COLUMNS JOB
    script -qefc 'stty rows $ROWS cols $COLUMNS; job=$JOB; unset ROWS COLUMNS JOB; eval "$job"' /dev/null \
      </run/in >/run/out 2>/run/err 3>&-
  else
    (eval "$JOB") </run/in >/run/out 2>/run/err 3>&-
  fi
  status=$?
  tries=0
  until out=$(bytes_copied /run/out.count) && err=$(bytes_copied /run/err.count); do
    tries=$((tries + 1))
    [ $tries -gt 5 ] && kill_leftovers
    usleep 20000
  done
  echo "exit $status $out $err" >&3
}

mount_kernel_file_systems
stage 'mounts'
load_drivers
[ -z "$PARALLEL" ] || keep_vms_open
stage 'drivers'
mount_images
hostname lab
ip link set lo up
export TERM SHELL=/bin/sh HOME=/tmp/home XDG_CACHE_HOME=/tmp/home/.cache
export PATH="$REPOSITORY/node_modules/.bin:$PATH"
export NODE_OPTIONS="--require=$REPOSITORY/tests/lab/stripped-sources.cjs"
stage 'ready'
run_job
# The runner ends QEMU when it has all output.
while true; do sleep 1000; done
