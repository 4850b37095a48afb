"""Asking the management controller through the kernel: ``/dev/ipmi0``, without any program.

The interface is that of ``include/uapi/linux/ipmi.h``: a command is handed over by one ioctl, its answer is taken
back by another once the file is readable. Answers are told from one another by their message number; those of
other users of the file go to their own.

The numbers of the ioctls are those of x86, Arm and RISC-V (``asm-generic/ioctl.h``); elsewhere (POWER) the kernel
refuses them with ENOTTY.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
import time
from array import array
from typing import TYPE_CHECKING

from greenai.host.descriptors import Descriptor

if TYPE_CHECKING:
    from pathlib import Path

# struct ipmi_system_interface_addr { int addr_type; short channel; unsigned char lun; }
_ADDRESS = struct.Struct("@ihBx")
_SYSTEM_INTERFACE = 0x0C
_BMC_CHANNEL = 0xF
_LARGEST_ADDRESS = 40  # sizeof(struct ipmi_addr)
_LARGEST_MESSAGE = 272  # IPMI_MAX_MSG_LENGTH

# struct ipmi_req { unsigned char *addr; unsigned addr_len; long msgid; struct ipmi_msg msg; }, where
# struct ipmi_msg { unsigned char netfn, cmd; unsigned short data_len; unsigned char *data; }
_REQUEST = struct.Struct("@PIlBBHP")
# struct ipmi_recv { int recv_type; unsigned char *addr; unsigned addr_len; long msgid; struct ipmi_msg msg; }
_ANSWER = struct.Struct("@iPIlBBHP")
_IS_RESPONSE = 1


def _ioctl_number(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("i") << 8 | number


_SEND_COMMAND = _ioctl_number(2, 13, _REQUEST.size)  # _IOR('i', 13, struct ipmi_req)
_RECEIVE_TRUNCATED = _ioctl_number(3, 11, _ANSWER.size)  # _IOWR('i', 11, struct ipmi_recv)


class IpmiDevice:
    """An open device of the kernel's IPMI driver."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            OSError: It is not there, or may not be used (EACCES).
        """
        self._file = Descriptor(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK))
        self._number = 0

    def request(self, netfn: int, command: int, data: bytes, timeout_s: float) -> bytes:
        """Send a command to the controller and return its answer, which begins with the completion code.

        Args:
            netfn: Network function.
            command: Command.
            data: What goes with it.
            timeout_s: Longest wait for the answer.

        Raises:
            OSError: This is no IPMI device (ENOTTY), the controller does not answer in time (ETIMEDOUT), or
                whatever else the driver says.
        """
        self._number += 1
        address = array("B", _ADDRESS.pack(_SYSTEM_INTERFACE, _BMC_CHANNEL, 0))
        content = array("B", data)
        request = bytearray(
            _REQUEST.pack(
                address.buffer_info()[0],
                len(address),
                self._number,
                netfn,
                command,
                len(content),
                content.buffer_info()[0],
            )
        )
        fcntl.ioctl(self._file.number, _SEND_COMMAND, request)
        deadline_s = time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(self._file.number, select.POLLIN)
        while (left_s := deadline_s - time.monotonic()) > 0 and poll.poll(left_s * 1000):
            number, answer = self._receive()
            if number == self._number:
                return answer
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    def close(self) -> None:
        """Close it; may be called more than once."""
        self._file.close()

    def _receive(self) -> tuple[int, bytes]:
        """Return message number and data of what has arrived; number 0 is no answer to anything we asked."""
        address = array("B", bytes(_LARGEST_ADDRESS))
        content = array("B", bytes(_LARGEST_MESSAGE))
        answer = bytearray(
            _ANSWER.pack(
                0, address.buffer_info()[0], len(address), 0, 0, 0, len(content), content.buffer_info()[0]
            )
        )
        try:
            fcntl.ioctl(self._file.number, _RECEIVE_TRUNCATED, answer)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EMSGSIZE):
                return 0, b""
            raise
        kind, _, _, number, _, _, length, _ = _ANSWER.unpack(answer)
        return (number, content.tobytes()[:length]) if kind == _IS_RESPONSE else (0, b"")
