//! Pictures of what is no picture: the first page of a PDF by `pdftoppm` (poppler-utils), the first frame of a video by `ffmpeg`. Both are optional.
//!
//! They read strangers' files: each runs once, with limits on memory, processor time and output, without an environment, and may open nothing but
//! its file. What it gives is a picture from a stranger like any other, and goes to a child of the [`crate::Pool`].

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use bytes::Bytes;
use rustix::process::{Pid, Resource, Rlimit, Signal};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};

use crate::{ImageError, Limit};

const FOLDERS: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];
/// Longer side of a poster, pixels.
const SIDE: u32 = 1500;
const DEADLINE: Duration = Duration::from_secs(30);
const CPU_SECONDS: u64 = 30;
/// Address space; ffmpeg maps more than it uses.
const MEMORY: u64 = 2 << 30;
const OUTPUT_BYTES: u64 = 25 << 20;
/// Containers of videos. Play lists are not among them: they name other files.
const VIDEOS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,ogg,mpeg,mpegts";

/// What can have a poster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poster {
    Pdf,
    Video,
}

impl Poster {
    /// Of a media type as it was found in the content.
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "application/pdf" => Some(Self::Pdf),
            video if video.starts_with("video/") => Some(Self::Video),
            _ => None,
        }
    }

    /// Largest file of which one is made, bytes.
    pub const fn most(self) -> u64 {
        match self {
            Self::Pdf => 200 << 20,
            Self::Video => 2 << 30,
        }
    }
}

/// The programs that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posters {
    pub pdftoppm: Option<PathBuf>,
    pub ffmpeg: Option<PathBuf>,
}

impl Posters {
    /// Looks for them. Cheap enough for each poster: one that was installed meanwhile is found.
    pub fn find() -> Self {
        let find = |name: &str| FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file());
        Self { pdftoppm: find("pdftoppm"), ffmpeg: find("ffmpeg") }
    }

    /// Names of those that are missing.
    pub fn missing(&self) -> Vec<&'static str> {
        let all = [("pdftoppm", &self.pdftoppm), ("ffmpeg", &self.ffmpeg)];
        all.into_iter().filter(|(_, path)| path.is_none()).map(|(name, _)| name).collect()
    }

    /// Whether there is a program for it.
    pub fn can(&self, poster: Poster) -> bool {
        self.program(poster).is_some()
    }

    fn program(&self, poster: Poster) -> Option<&Path> {
        match poster {
            Poster::Pdf => self.pdftoppm.as_deref(),
            Poster::Video => self.ffmpeg.as_deref(),
        }
    }

    /// A picture of the file, PNG or JPEG. [`ImageError::Format`]: there is no program for it.
    pub async fn make(&self, poster: Poster, file: &Path) -> Result<Bytes, ImageError> {
        let program = self.program(poster).ok_or(ImageError::Format)?;
        let arguments = match poster {
            Poster::Pdf => pdf(file),
            Poster::Video => video(file),
        };
        match tokio::time::timeout(DEADLINE, run(program, &arguments)).await {
            Ok(made) => made,
            Err(_) => Err(ImageError::refused(Limit::Time, DEADLINE.as_secs())),
        }
    }
}

fn pdf(file: &Path) -> Vec<OsString> {
    let side = SIDE.to_string();
    let options = ["-f", "1", "-l", "1", "-singlefile", "-cropbox", "-scale-to", &side, "-png"];
    let mut arguments: Vec<OsString> = options.into_iter().map(OsString::from).collect();
    arguments.push(file.into());
    arguments
}

fn video(file: &Path) -> Vec<OsString> {
    let quiet = ["-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1"];
    let input = ["-protocol_whitelist", "file,pipe", "-format_whitelist", VIDEOS, "-i"];
    let mut arguments: Vec<OsString> = quiet.into_iter().chain(input).map(OsString::from).collect();
    let mut name = OsString::from("file:");
    name.push(file);
    arguments.push(name);
    let scale = format!("scale=w='min({SIDE},iw)':h=-2");
    let output =
        ["-frames:v", "1", "-an", "-sn", "-dn", "-vf", &scale, "-c:v", "mjpeg", "-q:v", "3", "-f", "image2pipe"];
    arguments.extend(output.into_iter().chain(["pipe:1"]).map(OsString::from));
    arguments
}

async fn run(program: &Path, arguments: &[OsString]) -> Result<Bytes, ImageError> {
    let failed = |error: std::io::Error| ImageError::Child(error.to_string());
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut group = Group::of(&child);
    group.limit().map_err(failed)?;
    let Some(output) = child.stdout.take() else { return Err(ImageError::Child("no pipe".to_owned())) };
    let mut made = Vec::new();
    output.take(OUTPUT_BYTES + 1).read_to_end(&mut made).await.map_err(failed)?;
    if made.len() as u64 > OUTPUT_BYTES {
        return Err(ImageError::refused(Limit::OutputBytes, OUTPUT_BYTES));
    }
    let status = child.wait().await.map_err(failed)?;
    // Its number may be another's now.
    group.0 = None;
    if status.success() && !made.is_empty() { Ok(made.into()) } else { Err(ImageError::Malformed) }
}

/// The process group of a program, killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Set from outside: a program that is already reading has done so for a moment.
    fn limit(&self) -> std::io::Result<()> {
        // Without one, the limits would be this process's own.
        let Some(process) = self.0 else { return Ok(()) };
        for (resource, most) in
            [(Resource::As, MEMORY), (Resource::Cpu, CPU_SECONDS), (Resource::Fsize, 0), (Resource::Core, 0)]
        {
            let limit = Rlimit { current: Some(most), maximum: Some(most) };
            match rustix::process::prlimit(Some(process), resource, limit) {
                Ok(_) => {}
                // It has ended already.
                Err(rustix::io::Errno::SRCH) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Fails if it has already ended.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}
