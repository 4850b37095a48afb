#!/bin/sh
# Run COMMAND on the simulated machine: unshare --mount --net --pid --fork --kill-child --mount-proc enter.sh POWERCAP SPEC COMMAND...
# Everything it mounts and starts ends with the namespaces.
set -e
powercap=$1 spec=$2
shift 2
if [ ! -d /sys/class/powercap ]; then
    # sysfs takes no new folders: /sys/class is built anew from mounts of its parts.
    real=$(mktemp -d)
    mount --bind /sys/class "$real"
    mount -t tmpfs class /sys/class
    for part in "$real"/*; do
        mkdir "/sys/class/${part##*/}"
        mount --bind "$part" "/sys/class/${part##*/}"
    done
    umount -l "$real"
    rmdir "$real"
    mkdir /sys/class/powercap
fi
"$powercap" "$spec" /sys/class/powercap
mount --bind "$(dirname "$spec")/cpuinfo" /proc/cpuinfo
"$@"
