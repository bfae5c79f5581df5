//! What only unsafe calls can do to processes: children that cannot outlive this process, and
//! freed memory that goes back to the kernel. Nothing else.
//!
//! Linux ties a child's death to the *thread* that forked it, so every child comes from one thread
//! that never ends. The same thread is the only one that makes descriptors inheritable, so a
//! descriptor meant for one child never reaches another.

mod memory;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpid, getppid, set_parent_process_death_signal, setrlimit,
};

pub use memory::give_back_freed_blocks;

type Answer = Box<dyn FnOnce(io::Result<Child>) + Send>;

struct Request {
    command: Command,
    inherited: Vec<OwnedFd>,
    answer: Answer,
}

/// Spawns `command` in its own process group, and lets `answer` have the child. `answer` runs on
/// the spawning thread and must not block it.
///
/// The child gets `SIGKILL` when this process dies, however it dies, may leave no core file, and
/// inherits the descriptors of `inherited` under their numbers here; they are closed here
/// afterwards. Children of the child are not tied to our life: whoever owns the child kills its
/// group.
pub fn spawn(
    command: Command,
    inherited: Vec<OwnedFd>,
    answer: impl FnOnce(io::Result<Child>) + Send + 'static,
) {
    let request = Request {
        command,
        inherited,
        answer: Box::new(answer),
    };
    let unsent = match spawner() {
        Some(spawner) => match spawner.send(request) {
            Ok(()) => return,
            Err(unsent) => unsent.0,
        },
        None => request,
    };
    (unsent.answer)(Err(io::Error::other(
        "the thread that spawns processes is not there",
    )));
}

/// As [`spawn`], but waits for the child: for callers outside an async runtime.
pub fn spawn_and_wait_for_start(command: Command, inherited: Vec<OwnedFd>) -> io::Result<Child> {
    let (sender, receiver) = channel();
    spawn(command, inherited, move |result| {
        // A receiver that is gone cannot happen: it waits below.
        drop(sender.send(result));
    });
    receiver
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the spawning thread gave no answer")))
}

fn spawner() -> Option<&'static Sender<Request>> {
    static SPAWNER: OnceLock<Option<Sender<Request>>> = OnceLock::new();
    SPAWNER
        .get_or_init(|| {
            let (sender, requests) = channel::<Request>();
            std::thread::Builder::new()
                .name("spawner".to_owned())
                .spawn(move || {
                    // Never ends: the static above keeps a sender.
                    for Request {
                        command,
                        inherited,
                        answer,
                    } in requests
                    {
                        answer(start(command, &inherited));
                    }
                })
                .ok()
                .map(|_thread| sender)
        })
        .as_ref()
}

fn start(mut command: Command, inherited: &[OwnedFd]) -> io::Result<Child> {
    command.process_group(0);
    tie_to_our_life(&mut command, getpid());
    for descriptor in inherited {
        fcntl_setfd(descriptor, FdFlags::empty())?;
    }
    let child = command.spawn();
    for descriptor in inherited {
        fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
    }
    child
}

#[expect(
    unsafe_code,
    reason = "a hook between fork and exec has no safe interface"
)]
fn tie_to_our_life(command: &mut Command, parent: Pid) {
    let prepare = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        setrlimit(
            Resource::Core,
            Rlimit {
                current: Some(0),
                maximum: Some(0),
            },
        )?;
        // We may have died between fork and prctl: then no signal will ever come.
        if getppid() == Some(parent) {
            Ok(())
        } else {
            Err(rustix::io::Errno::SRCH.into())
        }
    };
    // SAFETY: the closure runs in the forked child, where only async-signal-safe code may run. It
    // makes three system calls through rustix, which go straight to the kernel; it neither
    // allocates nor locks (an errno becomes an `io::Error` without allocation), and it owns
    // nothing but one integer.
    unsafe {
        command.pre_exec(prepare);
    }
}
