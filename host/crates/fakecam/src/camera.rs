//! A camera, and the devices that programs have opened of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::io::{Errno, FdFlags, fcntl_setfd};

use crate::clock::now;
use crate::controls::Values;
use crate::environment::{Environment, Settings};
use crate::failures::Failures;
use crate::log::say;
use crate::offer::{Interval, Mode, Offer};
use crate::options::Options;
use crate::session::Session;

/// The most cameras that there can be.
const MAX_CAMERAS: usize = 8;

/// A camera.
#[derive(Debug)]
pub struct Camera {
    pub(crate) settings: Settings,
    /// One more path, if there is one.
    alias: Option<String>,
    offer: OnceLock<Offer>,
    state: Mutex<State>,
    /// Something has changed that a thread may wait for.
    pub(crate) changed: Condvar,
}

/// What changes about a camera.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) options: Options,
    /// What was negotiated last.
    pub(crate) mode: Option<Mode>,
    pub(crate) interval: Interval,
    pub(crate) values: Values,
    pub(crate) failures: Failures,
    /// The session that configures and streams.
    pub(crate) owner: Option<u64>,
    pub(crate) sessions: BTreeMap<u64, Session>,
    last_session: u64,
    pub(crate) last_stream: u64,
    /// Set while it is unplugged: until when at least.
    gone_until: Option<Duration>,
    pub(crate) unplugs: u32,
    pub(crate) stalls: u32,
}

/// The cameras that an environment asks for. Reads no file.
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
            offer: OnceLock::new(),
            state: Mutex::new(State {
                options: Options::unread(),
                mode: None,
                interval: Interval { numerator: 1, denominator: 30 },
                values: Values::defaults(),
                failures: Failures::default(),
                owner: None,
                sessions: BTreeMap::new(),
                last_session: 0,
                last_stream: 0,
                gone_until: None,
                unplugs: 0,
                stalls: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// The number in `/dev/videoN`.
    pub fn index(&self) -> usize {
        self.settings.camera()
    }

    /// Whether a path is the camera's. Takes no lock and reads no file.
    pub fn is_at(&self, path: &[u8]) -> bool {
        let number = path.strip_prefix(b"/dev/video");
        number.is_some_and(|number| number == self.index().to_string().as_bytes())
            || self.alias.as_ref().is_some_and(|alias| alias.as_bytes() == path)
    }

    /// Whether it is plugged in.
    pub fn is_present(&self) -> bool {
        self.refresh(&mut self.lock())
    }

    /// The text of a file about it in `/sys/class/video4linux/videoN`.
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

    /// Opens the device. The descriptor is the program's.
    ///
    /// # Errors
    ///
    /// `ENOENT` if it is unplugged, `ENODEV` if it has no format, or what `FAIL` says.
    pub fn open(self: &Arc<Self>, is_nonblocking: bool, closes_on_exec: bool) -> Result<(Handle, OwnedFd), Errno> {
        let result = self.try_open(is_nonblocking, closes_on_exec);
        if let Err(error) = &result {
            say(1, || format!("video{}: open fails: {error}", self.index()));
        }
        result
    }

    fn try_open(self: &Arc<Self>, is_nonblocking: bool, closes_on_exec: bool) -> Result<(Handle, OwnedFd), Errno> {
        let mut state = self.lock();
        if !self.refresh(&mut state) {
            return Err(Errno::NOENT);
        }
        state.failures.of(&self.settings, "OPEN")?;
        if state.mode.is_none() {
            state.mode = self.offer().nearest(0, 0, 0);
            state.interval = self.offer().intervals.first().copied().ok_or(Errno::NODEV)?;
        }
        state.mode.ok_or(Errno::NODEV)?;
        let of_io = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let (session, program) = Session::open(is_nonblocking).map_err(of_io)?;
        if !closes_on_exec {
            fcntl_setfd(&program, FdFlags::empty())?;
        }
        state.last_session += 1;
        let id = state.last_session;
        state.sessions.insert(id, session);
        Ok((Handle { camera: self.clone(), id }, program.into()))
    }

    /// Formats, sizes and rates. Read when they are needed first.
    pub(crate) fn offer(&self) -> &Offer {
        self.offer.get_or_init(|| Offer::read(&self.settings))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the settings up to date, and the plug to where they want it. Returns whether it is plugged in.
    pub(crate) fn refresh(&self, state: &mut State) -> bool {
        state.options.refresh(&self.settings);
        if state.options.is_unplugged() {
            if state.gone_until.is_none() {
                self.unplug(state);
            }
            state.gone_until = Some(Duration::ZERO);
            return false;
        }
        // As in the kernel, the node is only free again when all handles of the old device are closed. (A real camera
        // would come back as another node.)
        let is_free = state.options.strict_replug == 0.0 || !state.sessions.values().any(Session::is_dead);
        if state.gone_until.is_some_and(|until| is_free && now() >= until) {
            state.gone_until = None;
            say(1, || format!("video{}: plugged in", self.index()));
        }
        state.gone_until.is_none()
    }

    /// Pulls the plug.
    pub(crate) fn unplug(&self, state: &mut State) {
        state.unplugs += 1;
        state.gone_until = Some(now() + Duration::from_secs_f64(state.options.unplug_seconds.max(0.0)));
        state.sessions.values_mut().for_each(Session::unplug);
        self.changed.notify_all();
        say(1, || format!("video{}: unplugged", self.index()));
    }
}

impl State {
    /// The handle that sets the format or asks for buffers keeps the camera.
    pub(crate) fn own(&mut self, id: u64) -> Result<(), Errno> {
        match self.owner.replace(id) {
            Some(owner) if owner != id => {
                self.owner = Some(owner);
                Err(Errno::BUSY)
            }
            _ => Ok(()),
        }
    }
}

/// An open device. Dropping it closes the device.
#[derive(Debug)]
pub struct Handle {
    pub(crate) camera: Arc<Camera>,
    pub(crate) id: u64,
}

impl Handle {
    /// The camera that it is open of.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// Whether the camera was unplugged since it was opened.
    pub fn is_dead(&self) -> bool {
        self.camera.lock().sessions.get(&self.id).is_none_or(Session::is_dead)
    }

    /// Whether it is not streaming: then `poll` reports POLLERR.
    pub fn is_idle(&self) -> bool {
        let state = self.camera.lock();
        state.sessions.get(&self.id).is_some_and(|session| !session.is_dead() && session.stream.is_none())
    }

    /// The file to map a buffer from, at the same offset.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the camera was unplugged, `EINVAL` if there is no such buffer, or what `FAIL` says.
    pub fn memory(&self, offset: u64, length: usize) -> Result<Arc<File>, Errno> {
        let mut state = self.camera.lock();
        let session = state.sessions.get(&self.id).filter(|session| !session.is_dead()).ok_or(Errno::NODEV)?;
        let fits = |buffer: &crate::session::Buffer| {
            u64::from(buffer.offset) == offset && length > 0 && length as u64 <= u64::from(buffer.length)
        };
        let memory = session.memory.clone().filter(|_| session.buffers.iter().any(fits));
        state.failures.of(&self.camera.settings, "MMAP")?;
        memory.ok_or(Errno::INVAL)
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
        say(2, || format!("video{}: closed", self.camera.index()));
    }
}
