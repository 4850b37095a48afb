"""The kernel's IPMI device: a library of our own, compiled with the kernel's header, answers the real ioctls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/ipmi.h>
#include <linux/ipmi_msgdefs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static long asked = 0;   /* number of the message that waits for its answer; 0: none */
static int strangers = 0;

static const char *mode(void) { return getenv("IPMI_TEST"); }
static int is(const char *name) { return strcmp(mode(), name) == 0; }

static int send(const struct ipmi_req *request) {
  const struct ipmi_system_interface_addr *address = (const void *)request->addr;
  static const unsigned char expected[4] = {0xDC, 0x01, 0x00, 0x00};
  if (address->addr_type != IPMI_SYSTEM_INTERFACE_ADDR_TYPE || address->channel != IPMI_BMC_CHANNEL ||
      address->lun != 0 || request->addr_len != sizeof(*address) || request->msg.netfn != 0x2C ||
      request->msg.cmd != 0x02 || request->msg.data_len != 4 || memcmp(request->msg.data, expected, 4) != 0) {
    errno = EINVAL;
    return -1;
  }
  if (is("gone")) { errno = ENODEV; return -1; }
  asked = request->msgid;
  strangers = is("strangers") ? 3 : 0;
  return 0;
}

static int receive(struct ipmi_recv *answer) {
  unsigned char full[19] = {0, 0xDC, 0x4C, 0x01, 68, 0, 0xF8, 0x01, 0x5C, 0x01, 0, 0, 0, 0x60, 0xE8, 3, 0, 0, 0x40};
  unsigned char short_answer[1] = {0xC1};
  unsigned char *data = full;
  unsigned short length = sizeof(full);
  if (asked == 0 || is("silent")) { errno = EAGAIN; return -1; }
  answer->recv_type = IPMI_RESPONSE_RECV_TYPE;
  answer->msgid = asked;
  answer->msg.netfn = 0x2D;
  answer->msg.cmd = 0x02;
  if (strangers == 3) answer->recv_type = IPMI_ASYNC_EVENT_RECV_TYPE;
  if (strangers == 2) answer->msgid = asked + 7;
  if (strangers == 1) { strangers = 0; errno = EMSGSIZE; return -1; }
  if (strangers > 0) { strangers--; full[2] = 1; full[3] = 0; } else asked = 0;
  if (is("inactive")) full[18] = 0;
  if (is("openbmc")) { full[18] = 0; for (int i = 4; i < 10; i += 2) { full[i] = full[2]; full[i + 1] = full[3]; } }
  if (is("zero")) full[2] = full[3] = 0;
  if (is("sentinel")) full[2] = full[3] = 0xFF;
  if (is("unsupported")) { data = short_answer; length = 1; }
  if (is("busy")) { short_answer[0] = 0xC0; data = short_answer; length = 1; }
  if (is("short")) length = 12;
  if (is("foreign")) full[1] = 0xAE;
  if (length > answer->msg.data_len || answer->addr_len < sizeof(struct ipmi_addr)) { errno = EMSGSIZE; return -1; }
  memcpy(answer->msg.data, data, length);
  answer->msg.data_len = length;
  return 0;
}

int ioctl(int file, unsigned long number, ...) {
  static int (*real)(int, unsigned long, void *);
  va_list list;
  va_start(list, number);
  void *argument = va_arg(list, void *);
  va_end(list);
  if (number == IPMICTL_SEND_COMMAND) return send(argument);
  if (number == IPMICTL_RECEIVE_MSG_TRUNC) return receive(argument);
  if (!real) real = (int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl");
  return real(file, number, argument);
}
"""

_PROGRAM = """
import json, sys
from pathlib import Path
from greenai.core.collector import Available
from greenai.testing import FakeMachine
from greenai_collectors import ipmi

ipmi._TIMEOUT_S = 0.2
machine = FakeMachine(Path(sys.argv[1]))
machine.write("dev/ipmi0", "")
collector = ipmi.IpmiCollector(machine.host)
probe = collector.probe()
said = {"slow modules": [m for m in ("ctypes", "subprocess") if m in sys.modules]}
if isinstance(probe, Available):
    said["source"] = Path(probe.sources["ipmi:node"]).name
    collector.open(probe.channels)
    said["readings"] = [getattr(r, "power_uw", None) or r.reason for _ in range(3) for r in collector.read()]
    collector.close()
    collector.close()
else:
    said["code"], said["expected"] = probe.reason.code, probe.expected
said["files"] = sum("ipmi0" in str(link.resolve()) for link in Path("/proc/self/fd").iterdir())
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ipmi")
    source = folder / "ipmi.c"
    source.write_text(_SOURCE)
    library = folder / "libipmi_test.so"
    subprocess.run(
        ["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True
    )
    return library


def answered(library: Path, mode: str, folder: Path) -> dict[str, Any]:
    environ = {**os.environ, "LD_PRELOAD": str(library), "IPMI_TEST": mode}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(folder)],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    said: dict[str, Any] = json.loads(done.stdout)
    assert said.pop("files") == 0
    assert said.pop("slow modules") == []
    return said


@pytest.mark.parametrize(("mode", "watts"), [("plain", 332), ("strangers", 332), ("openbmc", 332)])
def test_the_power_by_the_kernel(library: Path, tmp_path: Path, mode: str, watts: int) -> None:
    assert answered(library, mode, tmp_path) == {"source": "ipmi0", "readings": [watts * 1_000_000] * 3}


@pytest.mark.parametrize(
    ("mode", "code", "expected"),
    [
        ("unsupported", "ipmi_no_dcmi", True),
        ("busy", "ipmi_code_c0", False),
        ("inactive", "ipmi_inactive", False),
        ("zero", "ipmi_zero", False),
        ("sentinel", "ipmi_sentinel", False),
        ("short", "ipmi_garbage", False),
        ("foreign", "ipmi_garbage", False),
        ("silent", "ipmi_timeout", False),
        ("gone", "ipmi_failed", False),
    ],
)
def test_no_power_by_the_kernel(library: Path, tmp_path: Path, mode: str, code: str, expected: bool) -> None:
    assert answered(library, mode, tmp_path) == {"code": code, "expected": expected}
