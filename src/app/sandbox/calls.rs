//! Which system calls a run may still make, by seccomp.
//!
//! Two filters, of which the kernel heeds the stricter answer. One lists what is let pass; whatever else is answered as
//! by a kernel that does not have it (ENOSYS), which every library is prepared for. The other ends the process at once for what
//! no run of ours ever does and an intruder would: starting a program, looking into others, mounting, a raw socket,
//! typing into the terminal.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

use super::Sockets;

/// Puts both filters on, for this thread and all that it makes. What the kernel lacks is returned.
pub(super) fn restrict(sockets: Sockets) -> Result<Option<String>> {
    let processor = TargetArch::try_from(std::env::consts::ARCH).context("seccomp")?;
    for filter in [fatal(processor)?, permitted(sockets, processor)?] {
        match apply_filter(&filter) {
            Ok(()) => {}
            Err(seccompiler::Error::Seccomp(error)) if is_lack(&error) => {
                return Ok(Some(format!(
                    "this kernel has no seccomp filters ({error}): the run may make every system call"
                )));
            }
            Err(error) => return Err(error).context("seccomp"),
        }
    }
    Ok(None)
}

fn is_lack(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::ENOSYS | Errno::EINVAL))
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn permitted(sockets: Sockets, processor: TargetArch) -> Result<BpfProgram> {
    let mut rules: Rules = ALWAYS.iter().chain(BY_PATH).map(|call| (*call, Vec::new())).collect();
    // A thread, and no process: `clone3` hides its flags in memory, and libc goes on with `clone` where there is none.
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![where_(&[masked(0, thread, thread)])?]);
    rules.insert(libc::SYS_prctl, each(0, PRCTLS)?);
    rules.insert(libc::SYS_ioctl, each(1, IOCTLS)?);
    // No page becomes code any more.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![where_(&[masked(2, libc::PROT_EXEC as u64, 0)])?]);
    }
    let domains: &[libc::c_int] = match sockets {
        Sockets::None => &[],
        Sockets::Local => &[libc::AF_UNIX, libc::AF_NETLINK],
        Sockets::Network => &[libc::AF_UNIX, libc::AF_NETLINK, libc::AF_INET, libc::AF_INET6],
    };
    if !domains.is_empty() {
        let domains: Vec<u64> = domains.iter().map(|domain| *domain as u64).collect();
        rules.insert(libc::SYS_socket, each(0, &domains)?);
        rules.extend(BY_SOCKET.iter().map(|call| (*call, Vec::new())));
    }
    compiled(rules, SeccompAction::Errno(libc::ENOSYS as u32), SeccompAction::Allow, processor)
}

fn fatal(processor: TargetArch) -> Result<BpfProgram> {
    let mut rules: Rules = NEVER.iter().map(|call| (*call, Vec::new())).collect();
    // The type's low octet; above it are SOCK_NONBLOCK and SOCK_CLOEXEC.
    let raw =
        |domain: libc::c_int| where_(&[equal(0, domain as u64), masked(1, 0xff, libc::SOCK_RAW as u64)]);
    rules.insert(
        libc::SYS_socket,
        vec![where_(&[equal(0, libc::AF_PACKET as u64)])?, raw(libc::AF_INET)?, raw(libc::AF_INET6)?],
    );
    rules.insert(libc::SYS_ioctl, each(1, TYPING)?);
    compiled(rules, SeccompAction::Allow, SeccompAction::KillProcess, processor)
}

fn compiled(
    rules: Rules,
    otherwise: SeccompAction,
    listed: SeccompAction,
    processor: TargetArch,
) -> Result<BpfProgram> {
    let filter = SeccompFilter::new(rules, otherwise, listed, processor);
    filter.and_then(BpfProgram::try_from).context("the filter of system calls is not sound")
}

/// Comparisons look at the low four octets: every argument here is an int or an unsigned int to the kernel.
fn masked(argument: u8, mask: u64, value: u64) -> (u8, SeccompCmpOp, u64) {
    (argument, SeccompCmpOp::MaskedEq(mask), value)
}

fn equal(argument: u8, value: u64) -> (u8, SeccompCmpOp, u64) {
    (argument, SeccompCmpOp::Eq, value)
}

/// All of `conditions`.
fn where_(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule> {
    let conditions = conditions.iter().map(|(argument, operator, value)| {
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, operator.clone(), *value)
    });
    let rule = conditions.collect::<Result<_, _>>().and_then(SeccompRule::new);
    rule.context("a condition on a system call is not sound")
}

/// Any of `values`.
fn each(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>> {
    values.iter().map(|value| where_(&[equal(argument, *value)])).collect()
}

/// Whatever touches only what the process has already: memory, time, threads, open descriptors, itself.
const ALWAYS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_capget,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fallocate,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_getcwd,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getpeername,
    libc::SYS_getpgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_kill,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_prlimit64,
    libc::SYS_pselect6,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_signalfd4,
    // AF_UNIX is the only kind that there is.
    libc::SYS_socketpair,
    libc::SYS_sysinfo,
    libc::SYS_tgkill,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_uname,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_write,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_arch_prctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_dup2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_getpgrp,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_pipe,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
];

/// Whatever names a path: where Landlock is, it decides which.
const BY_PATH: &[i64] = &[
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fchmod,
    libc::SYS_getdents64,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_readlinkat,
    libc::SYS_renameat2,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_unlinkat,
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    libc::SYS_renameat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
];

/// Where sockets may be made at all. `bind` is also how a capture comes back to its interface.
const BY_SOCKET: &[i64] = &[libc::SYS_accept4, libc::SYS_bind, libc::SYS_connect, libc::SYS_listen];

/// PR_SET_VMA names an arena of malloc's; libc of recent years asks for it.
const PRCTLS: &[u64] = &[
    libc::PR_GET_NAME as u64,
    libc::PR_SET_NAME as u64,
    libc::PR_SET_VMA as u64,
    libc::PR_GET_NO_NEW_PRIVS as u64,
];

/// The terminal's settings and size, waiting or not, and an interface's index and flags.
#[cfg_attr(target_env = "gnu", expect(clippy::unnecessary_cast, reason = "an int where libc is musl's"))]
const IOCTLS: &[u64] = &[
    libc::TCGETS as u64,
    libc::TCSETS as u64,
    libc::TCSETSW as u64,
    libc::TCSETSF as u64,
    libc::TCGETS2 as u64,
    libc::TCSETS2 as u64,
    libc::TCSETSW2 as u64,
    libc::TCSETSF2 as u64,
    libc::TIOCGWINSZ as u64,
    libc::TIOCGPGRP as u64,
    libc::FIONBIO as u64,
    libc::FIONREAD as u64,
    libc::FIOCLEX as u64,
    libc::SIOCGIFNAME as u64,
    libc::SIOCGIFINDEX as u64,
    libc::SIOCGIFFLAGS as u64,
    libc::SIOCGIFHWADDR as u64,
];

/// Octets that the terminal's shell would take for its user's.
#[cfg_attr(target_env = "gnu", expect(clippy::unnecessary_cast, reason = "an int where libc is musl's"))]
const TYPING: &[u64] = &[libc::TIOCSTI as u64, libc::TIOCLINUX as u64];

const NEVER: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_delete_module,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_finit_module,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_init_module,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_both_let_pass_and_fatal() {
        for call in ALWAYS.iter().chain(BY_PATH).chain(BY_SOCKET) {
            assert!(!NEVER.contains(call), "{call}");
        }
    }

    #[test]
    fn the_filters_are_written_for_every_processor() {
        for processor in [TargetArch::x86_64, TargetArch::aarch64, TargetArch::riscv64] {
            assert!(!fatal(processor).unwrap().is_empty());
            for sockets in [Sockets::None, Sockets::Local, Sockets::Network] {
                let filter = permitted(sockets, processor).unwrap();
                // More than the kernel takes (BPF_MAXINSNS) would be refused at the start of every run.
                assert!(filter.len() < 4096, "{}", filter.len());
            }
        }
    }
}
