//! A disk that does everything for real and remembers it, and what a power loss can leave of it.
//!
//! [`RecordingDisk`] writes down each operation; [`Volume`] takes them up again one by one and, after any of them,
//! makes the [`Image`]s that a computer without power may find when it comes back.
//!
//! Model: a file's bytes are durable up to its last sync. Of what was written since, each 4-KiB page has arrived in
//! any of its versions, with its neighbours or without, and the length is the old one or any later one.
//! Names are durable up to their folder's last sync. Of what was made, moved and removed since, any part has
//! happened, in order; a rename has happened whole or not at all.
//! A folder is removed name by name, its own last.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use catalog::disk::{Disk, DiskFile, RealDisk};
use parking_lot::Mutex;

/// The unit in which an operating system brings file contents to disk, in bytes.
const PAGE: usize = 4096;

/// One thing done to the disk. Paths are relative to the recorded folder.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    CreateDir {
        path: PathBuf,
    },
    /// Opened for writing as `handle`, made or emptied first.
    Create {
        path: PathBuf,
        handle: usize,
    },
    /// Opened for appending as `handle`, made first where there was none.
    Append {
        path: PathBuf,
        handle: usize,
    },
    /// At most one page, so that a crash between two operations is also a crash inside of a write.
    Write {
        handle: usize,
        offset: u64,
        bytes: Vec<u8>,
    },
    SetLen {
        handle: usize,
        len: u64,
    },
    Sync {
        handle: usize,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    RemoveFile {
        path: PathBuf,
    },
    /// The last name of a folder that is being removed: the folder's own.
    RemoveDir {
        path: PathBuf,
    },
    SyncDir {
        path: PathBuf,
    },
    /// The caller begins its next step, or has been told that it is done.
    Begin,
    Acknowledge,
}

#[derive(Debug, Default)]
struct Recorded {
    operations: Vec<Operation>,
    num_handles: usize,
}

/// Works on the real disk inside of `base`, and records. Clones share one recording.
#[derive(Debug, Clone)]
pub(crate) struct RecordingDisk {
    base: PathBuf,
    recorded: Arc<Mutex<Recorded>>,
}

impl RecordingDisk {
    pub(crate) fn new(base: &Path) -> Self {
        Self {
            base: base.into(),
            recorded: Arc::default(),
        }
    }

    /// Marks a place in the recording.
    pub(crate) fn mark(&self, mark: Operation) {
        self.push(mark);
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.recorded.lock().operations.clone()
    }

    fn push(&self, operation: Operation) {
        self.recorded.lock().operations.push(operation);
    }

    fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.base)
            .expect("the store stays in its folder")
            .into()
    }

    fn open(
        &self,
        path: &Path,
        open: impl FnOnce() -> io::Result<Box<dyn DiskFile>>,
        operation: impl FnOnce(PathBuf, usize) -> Operation,
        at: u64,
    ) -> io::Result<Box<dyn DiskFile>> {
        let mut recorded = self.recorded.lock();
        let file = open()?;
        let handle = recorded.num_handles;
        recorded.num_handles += 1;
        recorded
            .operations
            .push(operation(self.relative(path), handle));
        Ok(Box::new(RecordingFile {
            file,
            disk: self.clone(),
            handle,
            at,
        }))
    }
}

/// The operation is recorded after it is done, so one that fails is not in the recording.
impl Disk for RecordingDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let existed = path.is_dir();
        RealDisk.create_dir(path)?;
        if !existed {
            self.push(Operation::CreateDir {
                path: self.relative(path),
            });
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(
            path,
            || RealDisk.create(path),
            |path, handle| Operation::Create { path, handle },
            0,
        )
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let len = fs::metadata(path).map_or(0, |metadata| metadata.len());
        self.open(
            path,
            || RealDisk.append(path),
            |path, handle| Operation::Append { path, handle },
            len,
        )
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)?;
        self.push(Operation::Rename {
            from: self.relative(from),
            to: self.relative(to),
        });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_file(path)?;
        self.push(Operation::RemoveFile {
            path: self.relative(path),
        });
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut removals = Vec::new();
        for item in fs::read_dir(path)? {
            let item = item?.path();
            assert!(
                item.is_file(),
                "{} is a folder inside of a table's folder",
                item.display()
            );
            removals.push(Operation::RemoveFile {
                path: self.relative(&item),
            });
        }
        removals.push(Operation::RemoveDir {
            path: self.relative(path),
        });
        RealDisk.remove_dir_all(path)?;
        self.recorded.lock().operations.extend(removals);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // The recording is the durability here; waiting for the real disk would only be slow.
        self.push(Operation::SyncDir {
            path: self.relative(path),
        });
        Ok(())
    }
}

#[derive(Debug)]
struct RecordingFile {
    file: Box<dyn DiskFile>,
    disk: RecordingDisk,
    handle: usize,
    /// Where the next byte goes.
    at: u64,
}

impl Write for RecordingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let to_page_end = PAGE - self.at as usize % PAGE;
        let written = self.file.write(&bytes[..bytes.len().min(to_page_end)])?;
        let bytes = bytes[..written].to_vec();
        self.disk.push(Operation::Write {
            handle: self.handle,
            offset: self.at,
            bytes,
        });
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for RecordingFile {
    fn sync(&mut self) -> io::Result<()> {
        self.disk.push(Operation::Sync {
            handle: self.handle,
        });
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.disk.push(Operation::SetLen {
            handle: self.handle,
            len,
        });
        // The store only appends, and goes on at the new end.
        self.at = len;
        Ok(())
    }
}

/// What a computer finds on its disk: files with their bytes, folders as `None`. Parents come before their contents.
pub(crate) type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Reads a folder from the real disk.
pub(crate) fn read_image(base: &Path) -> Image {
    fn visit(base: &Path, folder: &Path, image: &mut Image) {
        for item in fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            let name = path.strip_prefix(base).unwrap().to_path_buf();
            if path.is_dir() {
                image.insert(name, None);
                visit(base, &path, image);
            } else {
                image.insert(name, Some(fs::read(&path).unwrap()));
            }
        }
    }
    let mut image = Image::new();
    visit(base, base, &mut image);
    image
}

/// Puts an image into an empty folder of the real disk.
pub(crate) fn write_image(base: &Path, image: &Image) {
    for (path, bytes) in image {
        match bytes {
            None => fs::create_dir(base.join(path)).unwrap(),
            Some(bytes) => fs::write(base.join(path), bytes).unwrap(),
        }
    }
}

/// How much of what is not durable has arrived nevertheless.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arrived {
    Nothing,
    Everything,
    /// Each piece by the toss of a coin that shows heads in so many of 256 cases.
    Perhaps(u8),
}

/// A seeded stream of numbers (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn arrives(&mut self, arrived: Arrived) -> bool {
        match arrived {
            Arrived::Nothing => false,
            Arrived::Everything => true,
            Arrived::Perhaps(heads) => self.next() as u8 <= heads,
        }
    }
}

/// Position in [`Volume::nodes`]; a file or folder keeps it through renames.
type NodeId = usize;

/// What has been done to a disk, durable and not.
#[derive(Debug)]
pub(crate) struct Volume {
    nodes: Vec<Node>,
    handles: BTreeMap<usize, NodeId>,
}

#[derive(Debug)]
enum Node {
    File(FileNode),
    Folder(FolderNode),
}

#[derive(Debug, Default)]
struct FileNode {
    durable: Vec<u8>,
    /// Since the last sync. No piece crosses a page's end.
    pieces: Vec<Piece>,
    /// Every length since the last sync, oldest first, the durable one not among them.
    lens: Vec<usize>,
}

#[derive(Debug)]
struct Piece {
    offset: usize,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct FolderNode {
    durable: BTreeMap<String, NodeId>,
    /// As programs see it.
    current: BTreeMap<String, NodeId>,
    /// What leads from `durable` to `current`.
    pending: Vec<NameChange>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Link(String, NodeId),
    Unlink(String),
    Rename(String, String),
}

const BASE: NodeId = 0;

impl Volume {
    /// A disk on which all of `image` is durable.
    pub(crate) fn new(image: &Image) -> Self {
        let mut volume = Self {
            nodes: vec![Node::Folder(FolderNode::default())],
            handles: BTreeMap::new(),
        };
        for (path, bytes) in image {
            let (parent, name) = volume.parent(path);
            let node = volume.add(match bytes {
                None => Node::Folder(FolderNode::default()),
                Some(bytes) => Node::File(FileNode {
                    durable: bytes.clone(),
                    ..FileNode::default()
                }),
            });
            let folder = volume.folder(parent);
            folder.durable.insert(name.clone(), node);
            folder.current.insert(name, node);
        }
        volume
    }

    pub(crate) fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::CreateDir { path } => {
                let node = self.add(Node::Folder(FolderNode::default()));
                self.link(path, node);
            }
            Operation::Create { path, handle } => {
                let node = self.file_at(path);
                self.file(node).set_len(0);
                self.handles.insert(*handle, node);
            }
            Operation::Append { path, handle } => {
                let node = self.file_at(path);
                self.handles.insert(*handle, node);
            }
            Operation::Write {
                handle,
                offset,
                bytes,
            } => {
                let node = self.handles[handle];
                self.file(node).write(*offset as usize, bytes);
            }
            Operation::SetLen { handle, len } => {
                let node = self.handles[handle];
                self.file(node).set_len(*len as usize);
            }
            Operation::Sync { handle } => {
                let node = self.handles[handle];
                self.file(node).sync();
            }
            Operation::Rename { from, to } => {
                let ((folder, from), (to_folder, to)) = (self.parent(from), self.parent(to));
                assert_eq!(folder, to_folder, "the store renames within a folder");
                self.folder(folder).change(NameChange::Rename(from, to));
            }
            Operation::RemoveFile { path } | Operation::RemoveDir { path } => {
                let (parent, name) = self.parent(path);
                self.folder(parent).change(NameChange::Unlink(name));
            }
            Operation::SyncDir { path } => {
                let node = self.resolve(path).expect("a folder that is synced exists");
                self.folder(node).sync();
            }
            Operation::Begin | Operation::Acknowledge => {}
        }
    }

    /// One of the states a power loss can leave now.
    pub(crate) fn image(&self, names: Arrived, bytes: Arrived, random: &mut Random) -> Image {
        let mut image = Image::new();
        self.visit(BASE, Path::new(""), names, bytes, random, &mut image);
        image
    }

    fn visit(
        &self,
        at: NodeId,
        path: &Path,
        names: Arrived,
        bytes: Arrived,
        random: &mut Random,
        image: &mut Image,
    ) {
        let Node::Folder(folder) = &self.nodes[at] else {
            unreachable!("only folders are visited")
        };
        for (name, node) in folder.survivors(names, random) {
            let path = path.join(name);
            match &self.nodes[node] {
                Node::File(file) => {
                    image.insert(path, Some(file.survivor(bytes, random)));
                }
                Node::Folder(_) => {
                    image.insert(path.clone(), None);
                    self.visit(node, &path, names, bytes, random, image);
                }
            }
        }
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn file_at(&mut self, path: &Path) -> NodeId {
        self.resolve(path).unwrap_or_else(|| {
            let node = self.add(Node::File(FileNode::default()));
            self.link(path, node);
            node
        })
    }

    fn link(&mut self, path: &Path, node: NodeId) {
        let (parent, name) = self.parent(path);
        self.folder(parent).change(NameChange::Link(name, node));
    }

    fn resolve(&self, path: &Path) -> Option<NodeId> {
        path.iter()
            .try_fold(BASE, |at, name| match &self.nodes[at] {
                Node::Folder(folder) => folder.current.get(name.to_str()?).copied(),
                Node::File(_) => None,
            })
    }

    fn parent(&self, path: &Path) -> (NodeId, String) {
        let parent = self
            .resolve(path.parent().expect("a name in the base"))
            .expect("the parent exists");
        (
            parent,
            path.file_name().unwrap().to_str().unwrap().to_owned(),
        )
    }

    fn file(&mut self, node: NodeId) -> &mut FileNode {
        match &mut self.nodes[node] {
            Node::File(file) => file,
            Node::Folder(_) => panic!("a folder is used as a file"),
        }
    }

    fn folder(&mut self, node: NodeId) -> &mut FolderNode {
        match &mut self.nodes[node] {
            Node::Folder(folder) => folder,
            Node::File(_) => panic!("a file is used as a folder"),
        }
    }
}

impl FileNode {
    fn len(&self) -> usize {
        self.lens.last().copied().unwrap_or(self.durable.len())
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        assert!(
            bytes.is_empty() || offset / PAGE == (end - 1) / PAGE,
            "a write crosses a page's end"
        );
        self.pieces.push(Piece {
            offset,
            bytes: bytes.to_vec(),
        });
        if end > self.len() {
            self.lens.push(end);
        }
    }

    fn set_len(&mut self, len: usize) {
        let old_len = self.len();
        if len == old_len {
            return;
        }
        // What is cut off reads as zeros, should the file grow again.
        let mut at = len;
        while at < old_len {
            let end = old_len.min((at / PAGE + 1) * PAGE);
            self.pieces.push(Piece {
                offset: at,
                bytes: vec![0; end - at],
            });
            at = end;
        }
        self.lens.push(len);
    }

    fn sync(&mut self) {
        self.durable = self.survivor(Arrived::Everything, &mut Random(0));
        self.pieces.clear();
        self.lens.clear();
    }

    fn survivor(&self, arrived: Arrived, random: &mut Random) -> Vec<u8> {
        let len = match arrived {
            Arrived::Nothing => self.durable.len(),
            Arrived::Everything => self.len(),
            Arrived::Perhaps(_) => match random.below(self.lens.len() + 1) {
                0 => self.durable.len(),
                number => self.lens[number - 1],
            },
        };
        let mut bytes = self.durable.clone();
        let longest = self
            .pieces
            .iter()
            .map(|piece| piece.offset + piece.bytes.len())
            .max()
            .unwrap_or(0);
        bytes.resize(longest.max(len).max(bytes.len()), 0);
        // The last version of each page that arrived: pieces of a page come in order.
        let mut stopped = BTreeMap::new();
        for piece in &self.pieces {
            let stopped = stopped.entry(piece.offset / PAGE).or_insert(false);
            *stopped = *stopped || !random.arrives(arrived);
            if !*stopped {
                bytes[piece.offset..piece.offset + piece.bytes.len()].copy_from_slice(&piece.bytes);
            }
        }
        bytes.truncate(len);
        bytes
    }
}

impl FolderNode {
    fn change(&mut self, change: NameChange) {
        assert!(
            change.apply(&mut self.current),
            "{change:?} was done to a name that is not there"
        );
        self.pending.push(change);
    }

    fn sync(&mut self) {
        self.durable = self.current.clone();
        self.pending.clear();
    }

    fn survivors(&self, arrived: Arrived, random: &mut Random) -> BTreeMap<String, NodeId> {
        let mut names = self.durable.clone();
        for change in &self.pending {
            if random.arrives(arrived) {
                // Without what it builds on, it cannot have happened.
                change.apply(&mut names);
            }
        }
        names
    }
}

impl NameChange {
    /// Whether it could be done.
    fn apply(&self, names: &mut BTreeMap<String, NodeId>) -> bool {
        match self {
            Self::Link(name, node) => names.insert(name.clone(), *node).is_none(),
            Self::Unlink(name) => names.remove(name).is_some(),
            Self::Rename(from, to) => match names.remove(from) {
                Some(node) => {
                    names.insert(to.clone(), node);
                    true
                }
                None => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "file";

    fn volume(operations: Vec<Operation>) -> Volume {
        let mut volume = Volume::new(&Image::new());
        operations
            .iter()
            .for_each(|operation| volume.apply(operation));
        volume
    }

    fn write(offset: usize, byte: u8, len: usize) -> Operation {
        Operation::Write {
            handle: 0,
            offset: offset as u64,
            bytes: vec![byte; len],
        }
    }

    fn create() -> Vec<Operation> {
        vec![Operation::Create {
            path: NAME.into(),
            handle: 0,
        }]
    }

    fn contents(volume: &Volume, names: Arrived, bytes: Arrived) -> Option<Vec<u8>> {
        volume
            .image(names, bytes, &mut Random(1))
            .remove(Path::new(NAME))
            .flatten()
    }

    #[test]
    fn a_synced_file_without_a_synced_name_may_be_gone() {
        let volume = volume(
            [
                create(),
                vec![write(0, 1, 10), Operation::Sync { handle: 0 }],
            ]
            .concat(),
        );
        assert_eq!(contents(&volume, Arrived::Nothing, Arrived::Nothing), None);
        assert_eq!(
            contents(&volume, Arrived::Everything, Arrived::Nothing),
            Some(vec![1; 10])
        );
    }

    #[test]
    fn a_synced_name_without_synced_bytes_may_be_empty() {
        let volume = volume(
            [
                create(),
                vec![write(0, 1, 10), Operation::SyncDir { path: "".into() }],
            ]
            .concat(),
        );
        assert_eq!(
            contents(&volume, Arrived::Nothing, Arrived::Nothing),
            Some(vec![])
        );
        assert_eq!(
            contents(&volume, Arrived::Nothing, Arrived::Everything),
            Some(vec![1; 10])
        );
    }

    #[test]
    fn pages_arrive_apart_from_each_other_and_from_the_length() {
        let writes = (0..3).map(|page| write(page * PAGE, 1, PAGE));
        let volume = volume(create().into_iter().chain(writes).collect());
        let mut random = Random(7);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let image = volume.image(Arrived::Everything, Arrived::Perhaps(128), &mut random);
            let bytes = image[Path::new(NAME)].as_ref().unwrap();
            seen.insert(bytes.chunks(PAGE).map(|page| page[0]).collect::<Vec<_>>());
        }
        // Lengths of 0 to 3 pages, each page there or zero.
        assert_eq!(seen.len(), 1 + 2 + 4 + 8);
    }

    #[test]
    fn a_cut_file_that_grows_again_has_zeros_in_the_gap() {
        let volume = volume(
            [
                create(),
                vec![
                    write(0, 1, 10),
                    Operation::SetLen { handle: 0, len: 4 },
                    write(8, 2, 2),
                ],
            ]
            .concat(),
        );
        let expected = vec![1, 1, 1, 1, 0, 0, 0, 0, 2, 2];
        assert_eq!(
            contents(&volume, Arrived::Everything, Arrived::Everything),
            Some(expected)
        );
    }

    #[test]
    fn a_rename_happens_whole_or_not_at_all() {
        let volume = volume(
            [
                create(),
                vec![
                    Operation::SyncDir { path: "".into() },
                    Operation::Rename {
                        from: NAME.into(),
                        to: "new".into(),
                    },
                ],
            ]
            .concat(),
        );
        for (arrived, name) in [(Arrived::Nothing, NAME), (Arrived::Everything, "new")] {
            let image = volume.image(arrived, arrived, &mut Random(1));
            assert_eq!(image.into_keys().collect::<Vec<_>>(), [PathBuf::from(name)]);
        }
    }
}
