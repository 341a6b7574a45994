//! The terminal itself: entered whole, left whole on every way out.
//!
//! Knows raw mode, the alternate screen, the panic hook and job control. Refuses to know what is drawn.
//! It never asks the terminal a question: one that does not answer must work as well.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read, Stdin, Stdout, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste, Event};
use crossterm::execute;
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, tcgetattr, tcsetattr};
use nix::unistd::Pid;
use ratatui::backend::CrosstermBackend;
use ratatui::{Terminal, layout::Rect};
use signal_hook::{SigId, consts, low_level};

use super::event_loop::Console;
use super::model::Model;
use super::update::Msg;
use super::view::view;

/// Whether the terminal is ours at this moment. A panic on any thread gives it back.
static OURS: AtomicBool = AtomicBool::new(false);

/// Presses and the wheel alone, in a form that knows wide screens. crossterm's own asks for every movement as well, and
/// each would wake us.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// For a look of crossterm's at what is there: with no time at all its source for /dev/tty does not even look.
const LOOK: Duration = Duration::from_millis(1);

type Hook = Box<dyn Fn(&panic::PanicHookInfo<'_>) + Sync + Send + 'static>;

pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    keys: Keys,
    /// crossterm may hold more than it has handed out: what it reads at once it parses at once.
    has_more: bool,
    resized: Resized,
    /// Somebody let us go on after a stop: SIGCONT came.
    woken: Arc<AtomicBool>,
    previous_hook: Arc<Hook>,
}

impl Screen {
    pub fn enter() -> io::Result<Screen> {
        let keys = Keys::open()?;
        let woken = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(consts::SIGCONT, Arc::clone(&woken))?;
        // Looks at nothing yet, but hears of a resize from here on, and before we do.
        event::poll(Duration::ZERO)?;
        let resized = Resized::heard()?;
        let previous_hook: Arc<Hook> = Arc::new(panic::take_hook());
        let chained = Arc::clone(&previous_hook);
        // The message of a panic is worth nothing on a screen that vanishes with it: leave first.
        panic::set_hook(Box::new(move |info| {
            leave();
            chained(info);
        }));
        let entered = enter(&keys).and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        match entered {
            Ok(terminal) => Ok(Screen { terminal, keys, has_more: true, resized, woken, previous_hook }),
            Err(error) => {
                leave();
                restore_hook(&previous_hook);
                Err(error)
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
        restore_hook(&self.previous_hook);
    }
}

impl Console for Screen {
    fn size(&mut self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    fn draw(&mut self, model: &Model) -> io::Result<()> {
        // Terminals that know it show the frame at once, the others ignore it.
        execute!(stdout(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| view(model, frame))?;
        execute!(stdout(), EndSynchronizedUpdate)
    }

    fn input(&mut self, wait: Duration) -> io::Result<Option<Msg>> {
        // crossterm spins through the last millisecond of each wait, so the wait is ours where poll() knows terminals.
        let ours = cfg!(not(target_os = "macos"));
        if ours && !self.has_more && !self.has_come(wait)? {
            return Ok(None);
        }
        self.has_more = event::poll(if ours { LOOK } else { wait.max(LOOK) })?;
        if !self.has_more {
            return Ok(None);
        }
        Ok(match event::read()? {
            Event::Key(key) => Some(Msg::Key(key)),
            Event::Resize(columns, rows) => Some(Msg::Resized(columns, rows)),
            Event::Mouse(mouse) => Some(Msg::Mouse(mouse)),
            Event::Paste(text) => Some(Msg::Pasted(text)),
            Event::FocusGained | Event::FocusLost => None,
        })
    }

    fn suspend(&mut self) -> io::Result<(u16, u16)> {
        leave();
        // To the whole job, as the terminal's own Ctrl-Z does: stopping this process alone would leave the shell
        // waiting for a `make` or `sudo` that goes on.
        kill(Pid::from_raw(0), Signal::SIGTSTP)?;
        self.enter_again()
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(stdout(), CopyToClipboard::to_clipboard_from(text))
    }

    fn check(&mut self) -> io::Result<Option<(u16, u16)>> {
        if !OURS.load(Ordering::SeqCst) {
            return Err(io::Error::other("another thread failed; the terminal was given back"));
        }
        // A terminal that hung up reads as endless silence; only its settings tell. They also tell that a shell took it
        // back while we were stopped, and gave us no notice.
        let settings = tcgetattr(self.keys.fd())?;
        if !self.woken.swap(false, Ordering::SeqCst) && !settings.local_flags.contains(LocalFlags::ICANON) {
            return Ok(None);
        }
        // Else raw mode would be believed to be on.
        disable_raw_mode()?;
        self.enter_again().map(Some)
    }
}

impl Screen {
    /// Waits for a key or a resize, no longer than `wait`. Returns whether one may be there.
    fn has_come(&mut self, wait: Duration) -> io::Result<bool> {
        // Rounded up: a wait of less than a millisecond is none, and we would be asked for the rest of it at once.
        let timeout = PollTimeout::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(PollTimeout::MAX);
        let mut fds =
            [self.keys.fd(), self.resized.told.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut fds, timeout) {
            Ok(0) | Err(Errno::EINTR) => return Ok(false),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        self.resized.forget()?;
        Ok(true)
    }

    /// Takes the terminal again and has all of it drawn; its size.
    fn enter_again(&mut self) -> io::Result<(u16, u16)> {
        self.woken.store(false, Ordering::SeqCst);
        enter(&self.keys)?;
        let size = self.terminal.size()?;
        // Clears and draws anew. `Terminal::clear` would ask the terminal where its cursor is.
        self.terminal.resize(Rect::new(0, 0, size.width, size.height))?;
        Ok((size.width, size.height))
    }
}

/// Tells a wait that the terminal has another size; crossterm tells which.
struct Resized {
    told: UnixStream,
    id: SigId,
}

impl Resized {
    fn heard() -> io::Result<Resized> {
        let (told, tell) = UnixStream::pair()?;
        told.set_nonblocking(true)?;
        let id = low_level::pipe::register(consts::SIGWINCH, tell)?;
        Ok(Resized { told, id })
    }

    fn forget(&mut self) -> io::Result<()> {
        match self.told.read(&mut [0; 64]) {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Resized {
    fn drop(&mut self) {
        low_level::unregister(self.id);
    }
}

/// Where keys come from: the same choice as crossterm's, so that both speak of one terminal.
enum Keys {
    Stdin(Stdin),
    /// Standard input is a capture.
    Device(File),
}

impl Keys {
    fn open() -> io::Result<Keys> {
        if stdin().is_terminal() {
            return Ok(Keys::Stdin(stdin()));
        }
        let device = File::options().read(true).write(true).open("/dev/tty").map_err(|error| {
            io::Error::new(error.kind(), format!("/dev/tty, where the keys would come from: {error}"))
        })?;
        Ok(Keys::Device(device))
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Keys::Stdin(stdin) => stdin.as_fd(),
            Keys::Device(file) => file.as_fd(),
        }
    }
}

fn enter(keys: &Keys) -> io::Result<()> {
    OURS.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    never_block(keys.fd())?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Print(MOUSE_ON))
}

/// Reads return at once. crossterm reads on after the first half of an escape sequence; in plain raw mode that read
/// would sleep until the next key, and neither a packet nor SIGTERM would be noticed meanwhile.
fn never_block(keys: BorrowedFd<'_>) -> io::Result<()> {
    let mut settings = tcgetattr(keys)?;
    settings.control_chars[SpecialCharacterIndices::VMIN as usize] = 0;
    settings.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    tcsetattr(keys, SetArg::TCSANOW, &settings).map_err(io::Error::from)
}

/// Gives the terminal back, once; errors are of no use to anybody here.
fn leave() {
    if OURS.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            stdout(),
            EndSynchronizedUpdate,
            Print(MOUSE_OFF),
            DisableBracketedPaste,
            LeaveAlternateScreen,
            Show
        );
        let _ = disable_raw_mode();
    }
}

fn restore_hook(previous: &Arc<Hook>) {
    // A panicking thread may not touch the hook.
    if !std::thread::panicking() {
        let previous = Arc::clone(previous);
        panic::set_hook(Box::new(move |info| previous(info)));
    }
}
