//! Children as the kernel sees them.
#![cfg(test)]

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};

use dilux_process_plumbing::spawn_and_wait_for_start;
use rustix::fs::{MemfdFlags, memfd_create};

#[expect(clippy::disallowed_methods, reason = "this is about spawning")]
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

fn output(command: Command, inherited: Vec<OwnedFd>) -> String {
    let child = spawn_and_wait_for_start(command, inherited).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn a_child_outlives_the_thread_that_asked_for_it() {
    let asking =
        std::thread::spawn(|| spawn_and_wait_for_start(command("cat"), Vec::new()).unwrap());
    let mut child = asking.join().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in ["alive", "and well"] {
        writeln!(input, "{line}").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), line);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_descriptor_reaches_the_child_that_it_is_for_and_no_other() {
    let descriptor = memfd_create("test", MemfdFlags::CLOEXEC).unwrap();
    let kept = descriptor.try_clone().unwrap();
    std::fs::File::from(kept).write_all(b"for one").unwrap();
    let path = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    let read = || {
        let mut command = command("cat");
        command.arg(&path);
        command
    };
    let other = output(read(), Vec::new());
    let meant = output(read(), vec![descriptor]);
    assert_eq!((meant.as_str(), other.as_str()), ("for one", ""));
}

#[test]
fn a_child_leads_its_own_group_and_leaves_no_core_file() {
    let mut script = command("sh");
    script.args(["-c", "ulimit -c; cut -d ' ' -f 5 /proc/$$/stat; echo $$"]);
    let output = output(script, Vec::new());
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[0], "0");
    assert_eq!(lines[1], lines[2]);
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    let error = spawn_and_wait_for_start(command("/no/such/program"), Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}
