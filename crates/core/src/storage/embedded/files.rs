//! The files of blobs. A file's name is random and says nothing; a row says which blob it is.
//!
//! `blobs/NAME.part` is being written; `blobs/NAME` is whole and on the disk. A blob is what a row
//! names, so a file without a row is rubbish, whichever of the two it is.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{Advice, FallocateFlags};

use super::directory;
use super::fault::Fault;

const PART: &str = "part";
const COPY_BUFFER: u64 = 1024 * 1024;

/// Where a block lies in its staging file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) length: u64,
}

/// The directory of a store's blob files.
#[derive(Debug, Clone)]
pub(super) struct BlobFiles {
    directory: PathBuf,
}

impl BlobFiles {
    /// Makes the directory where it is missing.
    pub(super) fn open(store: &Path) -> Result<Self, Fault> {
        let directory = store.join("blobs");
        directory::make(&directory)?;
        Ok(Self { directory })
    }

    fn whole(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    fn part(&self, file: &str) -> PathBuf {
        self.directory.join(file).with_extension(PART)
    }

    /// Makes an empty file to be written to.
    pub(super) fn create(&self, file: &str) -> Result<File, Fault> {
        Ok(directory::private_file()
            .create_new(true)
            .open(self.part(file))?)
    }

    /// Whether bytes staged in `file` are still there. A commit that did not come to its end may
    /// have given it its final name already.
    pub(super) fn is_staged(&self, file: &str) -> Result<bool, Fault> {
        Ok(self.part(file).try_exists()? || self.whole(file).try_exists()?)
    }

    /// Opens a file of staged blocks; `None` when somebody discarded it.
    fn open_staged(&self, file: &str) -> Result<Option<File>, Fault> {
        for path in [self.part(file), self.whole(file)] {
            match directory::private_file().open(path) {
                Ok(file) => return Ok(Some(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Writes a block to its place; `false` when the file has been discarded. The bytes start on
    /// their way to the disk, so that the commit need not wait for all of them.
    pub(super) fn write_block(&self, file: &str, start: u64, bytes: &[u8]) -> Result<bool, Fault> {
        let Some(file) = self.open_staged(file)? else {
            return Ok(false);
        };
        file.write_all_at(bytes, start)?;
        let length = NonZeroU64::new(bytes.len() as u64);
        rustix::fs::fadvise(&file, start, length, Advice::DontNeed)?;
        Ok(true)
    }

    /// Frees the room of a block that was written in part. Its neighbours stay.
    pub(super) fn unwrite_block(&self, file: &str, extent: Extent) -> Result<(), Fault> {
        if let Some(file) = self.open_staged(file)? {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(&file, flags, extent.start, extent.length)?;
        }
        Ok(())
    }

    /// Puts a staged file of at least `size` bytes on the disk under its final name; `false` when
    /// it has been discarded, or committed and cut by somebody faster.
    pub(super) fn publish(&self, file: &str, size: u64) -> Result<bool, Fault> {
        let Some(staged) = self.open_staged(file)? else {
            return Ok(false);
        };
        if staged.metadata()?.len() < size {
            return Ok(false);
        }
        staged.sync_all()?;
        match fs::rename(self.part(file), self.whole(file)) {
            // Another commit of the same blocks may have been faster.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => directory::sync(&self.directory)?,
        }
        Ok(self.whole(file).try_exists()?)
    }

    /// Writes a whole file to the disk, from bytes.
    pub(super) fn write(&self, file: &str, bytes: &[u8]) -> Result<(), Fault> {
        self.write_with(file, |mut target| Ok(target.write_all(bytes)?))
    }

    /// Writes a whole file to the disk, from extents of a staged one; `false` when that has been
    /// discarded, or committed and cut by somebody faster.
    pub(super) fn gather(
        &self,
        file: &str,
        staged: &str,
        extents: &[Extent],
    ) -> Result<bool, Fault> {
        let Some(source) = self.open_staged(staged)? else {
            return Ok(false);
        };
        let written = self.write_with(file, |target| {
            extents
                .iter()
                .try_for_each(|extent| copy(&source, *extent, target))
        });
        match written {
            Err(Fault::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            written => written.map(|()| true),
        }
    }

    fn write_with(
        &self,
        file: &str,
        write: impl FnOnce(&File) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let target = self.create(file)?;
        let written = write(&target)
            .and_then(|()| Ok(target.sync_all()?))
            .and_then(|()| {
                fs::rename(self.part(file), self.whole(file))?;
                directory::sync(&self.directory)
            });
        if written.is_err() {
            // Frees the room at once when that is what was missing; a sweep would find it later.
            self.remove(file)?;
        }
        written
    }

    /// Reads a range of a whole file; `None` when the file is gone.
    pub(super) fn read(&self, file: &str, range: &Range<u64>) -> Result<Option<Bytes>, Fault> {
        let mut source = match File::open(self.whole(file)) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        source.seek(SeekFrom::Start(range.start))?;
        let length = range.end - range.start;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))
            .map_err(|_| Fault::from(io::Error::from(io::ErrorKind::OutOfMemory)))?;
        source.take(length).read_to_end(&mut bytes)?;
        Ok(Some(bytes.into()))
    }

    /// Frees what stands behind the end of a blob: blocks that its commit did not name.
    pub(super) fn cut(&self, file: &str, size: u64) -> Result<(), Fault> {
        let file = directory::private_file().open(self.whole(file))?;
        if file.metadata()?.len() > size {
            file.set_len(size)?;
        }
        Ok(())
    }

    /// Removes a file under both its names. It need not exist.
    pub(super) fn remove(&self, file: &str) -> Result<(), Fault> {
        for path in [self.part(file), self.whole(file)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Every file: its name without ending, when it was last written to, and its length.
    pub(super) fn list(&self) -> Result<Vec<(String, std::time::SystemTime, u64)>, Fault> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else {
                continue;
            };
            let is_ours = path.extension().is_none_or(|ending| ending == PART)
                && name.len() == 32
                && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            // A file may vanish while we look.
            if let Ok(metadata) = fs::symlink_metadata(&path)
                && is_ours
                && metadata.is_file()
            {
                files.push((name.to_owned(), metadata.modified()?, metadata.len()));
            }
        }
        Ok(files)
    }
}

fn copy(source: &File, extent: Extent, mut target: &File) -> Result<(), Fault> {
    let mut buffer = vec![0; usize::try_from(extent.length.min(COPY_BUFFER)).unwrap_or(0)];
    let mut done = 0;
    while done < extent.length {
        let want = usize::try_from((extent.length - done).min(COPY_BUFFER)).unwrap_or(0);
        let piece = &mut buffer[..want];
        source.read_exact_at(piece, extent.start + done)?;
        target.write_all(piece)?;
        done += want as u64;
    }
    Ok(())
}
