"""What tracked programs do with processes and threads; LENGTH stands for seconds."""

FORK = """
children = []
for n in range(5):
    pid = os.fork()
    if pid == 0:
        with run.window(f"child {n}"):
            time.sleep(LENGTH / 5)
        os._exit(n)
    children.append(pid)
assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0, 1, 2, 3, 4]
time.sleep(LENGTH)
"""
POOL = """
import multiprocessing
with multiprocessing.get_context("{method}").Pool(2) as pool:
    assert sum(pool.map(abs, range(100))) == 4950
time.sleep(LENGTH)
"""
THREADS = """
import threading
def work():
    for n in range(50):
        with run.window("w"):
            time.sleep(LENGTH / 50)
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
"""
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(20)
    os._exit(0)
os.wait()
"""
# As torch's DataLoader does it: forked, told by pipes, and they live until they are told to end.
WORKERS = """
import multiprocessing
def serve(queue):
    while queue.get() is not None: pass
context = multiprocessing.get_context("{method}")
queue = context.Queue()
workers = [context.Process(target=serve, args=(queue,)) for _ in range(2)]
[worker.start() for worker in workers]
"""
INHERITS = "import subprocess; subprocess.Popen(['sleep', '20'], close_fds=False)"
BUSY = """
import threading
def spin():
    while True: pass
threading.Thread(target=spin, daemon=True).start()
time.sleep(LENGTH)
"""
THREAD_EXIT = """
import threading
def leave(): sys.exit(9)
thread = threading.Thread(target=leave); thread.start(); thread.join()
time.sleep(LENGTH)
"""
MARKS_AND_FORKS = """
import threading
stop = threading.Event()
def mark():
    while not stop.is_set():
        with run.window("mark"):
            pass
        time.sleep(0.0005)
threads = [threading.Thread(target=mark) for _ in range(3)]
[thread.start() for thread in threads]
for n in range(40):
    pid = os.fork()
    if pid == 0:
        with run.window("child"):
            run.add_units(1)
        os._exit(0)
    deadline = time.monotonic() + 5
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL); say("stuck"); os.waitpid(pid, 0); break
        time.sleep(0.002)
stop.set()
[thread.join() for thread in threads]
"""
