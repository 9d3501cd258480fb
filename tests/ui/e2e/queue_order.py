#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Fifty jobs: reordered by keys and by dragging, paused, cancelled, duplicated, tried again; the pictures come in
the order that was asked for.

Usage: ../xvfb.sh queue_order.py GESSO
"""
import sys
import time

from studio import (POLL_S, Jobs, Studio, drag_to, has_state, line, main, note, ok, pictures, recipe, role_of, screenshot,
                    wait, xdotool)

N_JOBS = 50


def title(i):
    return f"job {i:02d}"


def row(studio, name):
    """The title's label in the queue."""
    return studio.find(name, "label", within=studio.jobs)


def key_on(studio, name, keys, done):
    """Selects the job @name by a click, presses @keys, waits for @done."""
    studio.click(row(studio, name))
    wait(f"{name} to be selected", lambda: selected(studio, name))
    xdotool("key", keys)
    wait(f"{keys} on {name}", done)


def selected(studio, name):
    node = row(studio, name)
    while node and role_of(node) != "list item":
        node = node.get_parent()
    return node and has_state(node, "SELECTED")


def drag(studio, name, onto, share, done):
    """Drops @name on the row of @onto, at @share of its height.  Nothing tells from outside when the list is ready to
    take it, so what was too fast for a slow machine is done again, slower."""
    for pause_s in (0.06, 0.3, 1.5):
        start = studio.resting(row(studio, name))
        x, y, _, height = studio.extents(row(studio, onto))
        end = (x + 30, y + int(height * share))
        drag_to(start, line(start, end, 10) + [end], pause_s)
        xdotool("sleep", 4 * pause_s, "mouseup", 1)
        try:
            return wait("the drop", done, 60 * pause_s)
        except TimeoutError:
            note(f"no drop at {pause_s} s a move")
    raise TimeoutError(f"{name} cannot be dropped on {onto}")


def move(order, name, to):
    order.remove(name)
    order.insert(to, name)


def reorder(studio, order):
    key_on(studio, title(3), "alt+Up", lambda: Jobs.waiting()[1] == title(3))
    move(order, title(3), 1)
    xdotool("key", "alt+Up")  # the moved job is still the selected one
    wait("a second move", lambda: Jobs.waiting()[0] == title(3))
    move(order, title(3), 0)
    key_on(studio, title(1), "alt+Down", lambda: Jobs.waiting()[2] == title(1))
    move(order, title(1), 2)
    key_on(studio, title(6), "alt+Home", lambda: Jobs.waiting()[0] == title(6))
    move(order, title(6), 0)
    ok(Jobs.waiting() == order, "reordered by keys")
    studio.click(row(studio, order[0]))
    drag(studio, order[4], order[1], 0.1, lambda: Jobs.waiting() != order)
    move(order, order[4], 1)
    ok(Jobs.waiting() == order, "reordered by dragging")
    note(f"now {', '.join(order[:7])}")


def cancel_and_duplicate(studio, order):
    key_on(studio, order[3], "Delete", lambda: Jobs.state(Jobs.id(order[3])) == "cancelled")
    cancelled = order.pop(3)
    wait("the next job to be selected", lambda: selected(studio, order[3]))
    ok(Jobs.waiting() == order, "Delete cancels a waiting job and selects the next")
    key_on(studio, order[2], "ctrl+d", lambda: len(Jobs.waiting()) == len(order) + 1)
    copy = [i for i, t in enumerate(Jobs.waiting()) if t == order[2]]
    note(f"the copy of the job at 2 stands at {copy[1]}")
    order.insert(copy[1], order[2])
    ok(Jobs.waiting() == order, "Ctrl+D duplicates a job")
    return cancelled


def at_rest(n_looks=20):
    """Nothing runs, and not only for the moment between two jobs, before the pause has arrived."""
    for _ in range(n_looks):
        if Jobs.count("running"):
            return False
        time.sleep(POLL_S)
    return True


def run_and_pause(studio, order, cancelled):
    studio.change("pause", False)
    wait("some pictures", lambda: len(pictures()) >= 3)
    studio.change("pause", True)
    wait("the running job to park or end", at_rest)
    n = len(pictures())
    ok(Jobs.count("waiting", "parked") > 0, f"paused after {n} pictures")
    studio.job("retry", Jobs.id(cancelled))
    wait("the cancelled job to wait again", lambda: cancelled in Jobs.waiting())
    order.insert(order.index(Jobs.waiting()[0]) + Jobs.waiting().index(cancelled), cancelled)
    ok(Jobs.count("running") == 0 and len(pictures()) == n, "nothing runs while the queue is paused")
    screenshot("queue")
    studio.change("pause", False)
    wait("every job", lambda: Jobs.count("waiting", "running", "parked") == 0)


def scenario():
    studio = Studio(sys.argv[1], "--backend", "null").open()
    studio.can_generate()
    studio.change("pause", True)
    studio.change("show-queue", True)
    order = [title(i) for i in range(1, N_JOBS + 1)]
    for name in order:
        studio.generate(name)
    ok(Jobs.waiting() == order, f"{N_JOBS} jobs wait in the order in which they were added")
    studio.jobs = studio.find("Jobs", "list")
    reorder(studio, order)
    cancelled = cancel_and_duplicate(studio, order)
    run_and_pause(studio, order, cancelled)
    made = [recipe(p)["prompt"] for p in sorted(pictures(), key=lambda p: p.stat().st_mtime_ns)]
    if not ok(made == order, f"{len(made)} pictures came in the order that was asked for"):
        note(f"asked {order}")
        note(f"made  {made}")
    ok(Jobs.count("done") == N_JOBS + 1 and Jobs.count() == N_JOBS + 1, "every job is done, once")
    studio.quit()


main(scenario)
