"""The same workloads in Python's asyncio. Prints nanoseconds (or bytes) for an operation.

usage: python3 asyncio_bench.py WORKLOAD OPERATIONS WARM_UP_MS MEASURE_MS

(The file cannot be called asyncio.py: it would import itself.)
"""

import asyncio
import concurrent.futures
import statistics
import sys
import time
import tracemalloc

CAPACITY = 100
END = -1


async def quiet():
    for _ in range(3):
        await asyncio.sleep(0)


# A workload prepares a round, untimed, and returns the coroutine function that is timed; that returns how much it counted.


async def lock_alone(n):
    lock = asyncio.Lock()

    async def run():
        done = 0
        for _ in range(n):
            async with lock:
                done += 1
        return done

    return run


def limited(make):
    async def prepare(n):
        lock = make()
        done = 0

        async def one():
            nonlocal done
            async with lock:
                await asyncio.sleep(0)
                done += 1

        async def run():
            await asyncio.gather(*(one() for _ in range(n)))
            return done

        return run

    return prepare


def queue(consumers):
    async def prepare(n):
        items = asyncio.Queue(CAPACITY)
        taken = 0

        async def produce():
            for i in range(n):
                await items.put(i)
            for _ in range(consumers):
                await items.put(END)

        async def consume():
            nonlocal taken
            while await items.get() != END:
                taken += 1

        async def run():
            await asyncio.gather(produce(), *(consume() for _ in range(consumers)))
            return taken

        return run

    return prepare


async def parked(n, wait, go):
    done = 0

    async def one():
        nonlocal done
        await wait()
        done += 1

    tasks = [asyncio.ensure_future(one()) for _ in range(n)]
    await quiet()

    async def run():
        await go()
        await asyncio.gather(*tasks)
        return done

    return run


async def event(n):
    it = asyncio.Event()

    async def go():
        it.set()

    return await parked(n, it.wait, go)


async def condition(n):
    it = asyncio.Condition()

    async def wait():
        async with it:
            await it.wait()

    async def go():
        async with it:
            it.notify_all()

    return await parked(n, wait, go)


async def barrier(n):
    it = asyncio.Barrier(n + 1)
    return await parked(n, it.wait, it.wait)


async def abort(n):
    lock = asyncio.Lock()
    await lock.acquire()
    tasks = [asyncio.ensure_future(lock.acquire()) for _ in range(n)]
    await quiet()

    async def run():
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return sum(isinstance(result, asyncio.CancelledError) for result in results)

    return run


def started(start):
    async def prepare(n):
        done = 0

        async def one():
            nonlocal done
            await asyncio.sleep(0)
            done += 1

        async def run():
            await start(one, n)
            return done

        return run

    return prepare


async def tasks(one, n):
    for task in [asyncio.create_task(one()) for _ in range(n)]:
        await task


async def gather(one, n):
    await asyncio.gather(*(one() for _ in range(n)))


async def wait(one, n):
    await asyncio.wait([asyncio.create_task(one()) for _ in range(n)])


async def task_group(one, n):
    async with asyncio.TaskGroup() as group:
        for _ in range(n):
            group.create_task(one())


async def shield(one, n):
    await asyncio.gather(*(asyncio.shield(one()) for _ in range(n)))


async def timeout(one, n):
    async def limited():
        async with asyncio.timeout(60):
            await one()

    await asyncio.gather(*(limited() for _ in range(n)))


async def timeout_in_turn(one, n):
    for _ in range(n):
        async with asyncio.timeout(60):
            await one()


def raced(race, *, others_fail):
    """All but the last fail; or they wait until they are cancelled, and count then."""

    async def prepare(n):
        done = 0

        async def turn():
            nonlocal done
            await asyncio.sleep(0)
            done += 1

        async def last():
            await asyncio.sleep(0)  # as_completed starts them in any order
            await turn()

        async def fail():
            await turn()
            raise ValueError("no")

        async def park():
            nonlocal done
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                done += 1

        other = fail if others_fail else park

        async def run():
            await race([*(other() for _ in range(n - 1)), last()])
            return done

        return run

    return prepare


async def first_success(coroutines):
    for end in asyncio.as_completed(coroutines):
        try:
            return await end
        except ValueError:
            pass


async def first_completed(coroutines):
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending)


def pass_by(data=None):
    return data


def compute(rounds):
    value = 0
    for i in range(rounds):
        value = (value * 31 + i) & 0xFFFFFFFF
    return value


# Some 20 ms of it, as in the other contenders: how fast an interpreter computes is not what is compared.
ROUNDS = 200_000


def in_thread(f=pass_by, *args, at_once=False):
    async def prepare(n):
        return await elsewhere(n, lambda: asyncio.to_thread(f, *args), at_once)

    return prepare


def in_process(f=pass_by, *args, at_once=False):
    executor = None

    async def prepare(n):
        nonlocal executor
        if executor is None:
            executor = concurrent.futures.ProcessPoolExecutor(2)
        loop = asyncio.get_running_loop()
        return await elsewhere(n, lambda: loop.run_in_executor(executor, f, *args), at_once)

    return prepare


async def elsewhere(n, call, at_once):
    """One call after the other, or all at once, of workers that have started."""
    await asyncio.gather(*(call() for _ in range(4 if at_once and n < 10 else 64)))

    async def run():
        if at_once:
            return len(await asyncio.gather(*(call() for _ in range(n))))
        done = 0
        for _ in range(n):
            await call()
            done += 1
        return done

    return run


async def memory(n):
    lock = asyncio.Lock()
    await lock.acquire()

    async def one():
        async with lock:
            pass

    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tasks = [asyncio.ensure_future(one()) for _ in range(n)]
    await quiet()
    bytes_each = (tracemalloc.get_traced_memory()[0] - before) / n
    tracemalloc.stop()
    lock.release()
    await asyncio.gather(*tasks)
    return bytes_each


WORKLOADS = {
    "lock-alone": lock_alone,
    "lock-contended": limited(asyncio.Lock),
    "limit": limited(lambda: asyncio.Semaphore(5)),
    "queue-1": queue(1),
    "queue-3": queue(3),
    "event": event,
    "condition": condition,
    "barrier": barrier,
    "abort": abort,
    "tasks": started(tasks),
    "gather": started(gather),
    "wait": started(wait),
    "task-group": started(task_group),
    "shield": started(shield),
    "timeout": started(timeout),
    "timeout_in_turn": started(timeout_in_turn),
    "first-success": raced(first_success, others_fail=True),
    "first-completed": raced(first_completed, others_fail=False),
    "thread": in_thread(),
    "thread-at-once": in_thread(at_once=True),
    "thread-bytes": in_thread(pass_by, bytes(100_000)),
    "process": in_process(),
    "process-at-once": in_process(at_once=True),
    "process-bytes": in_process(pass_by, bytes(100_000)),
    "thread-compute": in_thread(compute, ROUNDS, at_once=True),
    "process-compute": in_process(compute, ROUNDS, at_once=True),
}


async def main(workload, n, warm_up_ms, measure_ms):
    if workload == "memory":
        print(await memory(n))
        return
    prepare = WORKLOADS[workload]
    samples = []
    spent = 0
    warm = 0
    while spent < measure_ms or len(samples) < 3:
        run = await prepare(n)
        start = time.perf_counter_ns()
        counted = await run()
        elapsed = time.perf_counter_ns() - start
        if counted != n:
            sys.exit(f"did {counted} operations instead of {n}")
        if warm < warm_up_ms:
            warm += elapsed / 1e6
            continue
        spent += elapsed / 1e6
        samples.append(elapsed / n)
    print(statistics.median(samples))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
