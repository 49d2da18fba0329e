//! A camera and its open handles.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::io::{Errno, FdFlags, fcntl_setfd};

use crate::clock::now;
use crate::controls::ControlValues;
use crate::environment::{Environment, Settings};
use crate::formats::{FrameInterval, Mode, SupportedFormats};
use crate::injected_errors::InjectedErrors;
use crate::log::log;
use crate::options::Options;
use crate::session::Session;

/// The largest number of cameras.
const MAX_CAMERAS: usize = 8;

/// A camera.
#[derive(Debug)]
pub struct Camera {
    pub(crate) settings: Settings,
    /// An additional path.
    alias: Option<String>,
    formats: OnceLock<SupportedFormats>,
    state: Mutex<State>,
    /// Notified at every change of the state that a thread may wait for.
    pub(crate) changed: Condvar,
}

/// The state of a camera.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) options: Options,
    /// The negotiated mode. `None` before the first `open`.
    pub(crate) mode: Option<Mode>,
    pub(crate) interval: FrameInterval,
    pub(crate) values: ControlValues,
    pub(crate) injected_errors: InjectedErrors,
    /// The session that may configure the camera and stream.
    pub(crate) owner: Option<u64>,
    pub(crate) sessions: BTreeMap<u64, Session>,
    last_session: u64,
    pub(crate) last_stream: u64,
    /// Set while the camera is unplugged: the earliest time at which it may come back.
    unplugged_until: Option<Duration>,
    pub(crate) unplugs: u32,
    pub(crate) stalls: u32,
}

/// Creates the cameras that an environment asks for. Reads no files.
#[must_use]
pub fn cameras(environment: Environment) -> Vec<Arc<Camera>> {
    let environment = Arc::new(environment);
    let count = environment.variable("FAKECAM_DEVICES").and_then(|text| text.parse().ok()).unwrap_or(1);
    (0..MAX_CAMERAS.min(count)).map(|index| Arc::new(Camera::new(&environment, index))).collect()
}

impl Camera {
    fn new(environment: &Arc<Environment>, index: usize) -> Self {
        let alias = [format!("FAKECAM{index}_ALIAS"), "FAKECAM_ALIAS".to_owned()];
        Self {
            alias: alias.iter().find_map(|name| environment.variable(name)).map(str::to_owned),
            settings: Settings::new(environment.clone(), index),
            formats: OnceLock::new(),
            state: Mutex::new(State {
                options: Options::defaults(),
                mode: None,
                interval: FrameInterval { numerator: 1, denominator: 30 },
                values: ControlValues::defaults(),
                injected_errors: InjectedErrors::default(),
                owner: None,
                sessions: BTreeMap::new(),
                last_session: 0,
                last_stream: 0,
                unplugged_until: None,
                unplugs: 0,
                stalls: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// Returns N in `/dev/videoN`.
    pub fn index(&self) -> usize {
        self.settings.camera()
    }

    /// Whether a path is the camera's device node. Takes no lock and reads no files.
    pub fn is_at(&self, path: &[u8]) -> bool {
        let number = path.strip_prefix(b"/dev/video");
        number.is_some_and(|number| number == self.index().to_string().as_bytes())
            || self.alias.as_ref().is_some_and(|alias| alias.as_bytes() == path)
    }

    /// Whether the camera is plugged in.
    pub fn is_present(&self) -> bool {
        self.refresh(&mut self.lock())
    }

    /// Returns the contents of a file in `/sys/class/video4linux/videoN`.
    pub fn attribute(&self, file: &str) -> Option<String> {
        let index = self.index();
        Some(match file {
            "name" => format!("{}\n", self.settings.card()),
            "index" => "0\n".to_owned(),
            "dev" => format!("81:{index}\n"),
            "uevent" => format!("MAJOR=81\nMINOR={index}\nDEVNAME=video{index}\n"),
            _ => return None,
        })
    }

    /// Opens the device. Returns a handle and the file descriptor for the program.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the camera is unplugged, `ENODEV` if it has no format, or the error in `FAIL`.
    pub fn open(self: &Arc<Self>, is_nonblocking: bool, closes_on_exec: bool) -> Result<(Handle, OwnedFd), Errno> {
        let result = self.try_open(is_nonblocking, closes_on_exec);
        if let Err(error) = &result {
            log(1, || format!("video{}: open failed: {error}", self.index()));
        }
        result
    }

    fn try_open(self: &Arc<Self>, is_nonblocking: bool, closes_on_exec: bool) -> Result<(Handle, OwnedFd), Errno> {
        let mut state = self.lock();
        if !self.refresh(&mut state) {
            return Err(Errno::NOENT);
        }
        state.injected_errors.check(&self.settings, "OPEN")?;
        if state.mode.is_none() {
            state.mode = self.formats().nearest_mode(0, 0, 0);
            state.interval = self.formats().intervals.first().copied().ok_or(Errno::NODEV)?;
        }
        state.mode.ok_or(Errno::NODEV)?;
        let to_errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let (session, program_end) = Session::open(is_nonblocking).map_err(to_errno)?;
        if !closes_on_exec {
            fcntl_setfd(&program_end, FdFlags::empty())?;
        }
        state.last_session += 1;
        let id = state.last_session;
        state.sessions.insert(id, session);
        Ok((Handle { camera: self.clone(), id }, program_end.into()))
    }

    /// Returns the supported formats, which are read at the first call.
    pub(crate) fn formats(&self) -> &SupportedFormats {
        self.formats.get_or_init(|| SupportedFormats::read(&self.settings))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the settings again if they have changed, and plugs the camera in or out as they say. Returns whether the
    /// camera is plugged in.
    pub(crate) fn refresh(&self, state: &mut State) -> bool {
        state.options.reload_if_changed(&self.settings);
        if state.options.is_unplugged() {
            if state.unplugged_until.is_none() {
                self.unplug(state);
            }
            state.unplugged_until = Some(Duration::ZERO);
            return false;
        }
        // As in the kernel, a node is released only when all handles of the old device are closed. (A real camera would
        // come back with another node.)
        let is_free = state.options.strict_replug == 0.0 || !state.sessions.values().any(Session::is_unplugged);
        if state.unplugged_until.is_some_and(|until| is_free && now() >= until) {
            state.unplugged_until = None;
            log(1, || format!("video{}: plugged in", self.index()));
        }
        state.unplugged_until.is_none()
    }

    /// Unplugs the camera.
    pub(crate) fn unplug(&self, state: &mut State) {
        state.unplugs += 1;
        state.unplugged_until = Some(now() + Duration::from_secs_f64(state.options.unplug_seconds.max(0.0)));
        state.sessions.values_mut().for_each(Session::unplug);
        self.changed.notify_all();
        log(1, || format!("video{}: unplugged", self.index()));
    }
}

impl State {
    /// Makes a session the owner, as `VIDIOC_S_FMT` and `VIDIOC_REQBUFS` do. Fails with `EBUSY` if another session is
    /// the owner.
    pub(crate) fn claim(&mut self, id: u64) -> Result<(), Errno> {
        match self.owner.replace(id) {
            Some(owner) if owner != id => {
                self.owner = Some(owner);
                Err(Errno::BUSY)
            }
            _ => Ok(()),
        }
    }
}

/// An open device. Dropping the handle closes it.
#[derive(Debug)]
pub struct Handle {
    pub(crate) camera: Arc<Camera>,
    pub(crate) id: u64,
}

impl Handle {
    /// Returns the handle's camera.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// Whether the camera was unplugged after the device was opened.
    pub fn is_unplugged(&self) -> bool {
        self.camera.lock().sessions.get(&self.id).is_none_or(Session::is_unplugged)
    }

    /// Whether it is not streaming: then `poll` reports POLLERR.
    pub fn is_idle(&self) -> bool {
        let state = self.camera.lock();
        state.sessions.get(&self.id).is_some_and(|session| !session.is_unplugged() && session.stream.is_none())
    }

    /// Returns the file to map a buffer from, at the buffer's offset.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the camera was unplugged, `EINVAL` if no buffer has this offset and at least this length, or the
    /// error in `FAIL`.
    pub fn memory(&self, offset: u64, length: usize) -> Result<Arc<File>, Errno> {
        let mut state = self.camera.lock();
        let session = self.session(&mut state)?;
        let fits = |buffer: &crate::session::Buffer| {
            u64::from(buffer.offset) == offset && length > 0 && length as u64 <= u64::from(buffer.length)
        };
        let memory = session.memory.clone().filter(|_| session.buffers.iter().any(fits));
        state.injected_errors.check(&self.camera.settings, "MMAP")?;
        memory.ok_or(Errno::INVAL)
    }
}

impl Handle {
    /// Returns the handle's session.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the camera was unplugged.
    pub(crate) fn session<'a>(&self, state: &'a mut State) -> Result<&'a mut Session, Errno> {
        state.sessions.get_mut(&self.id).filter(|session| !session.is_unplugged()).ok_or(Errno::NODEV)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.camera.lock();
        if let Some(mut session) = state.sessions.remove(&self.id) {
            session.stop();
        }
        state.owner.take_if(|owner| *owner == self.id);
        self.camera.changed.notify_all();
        log(2, || format!("video{}: closed", self.camera.index()));
    }
}
