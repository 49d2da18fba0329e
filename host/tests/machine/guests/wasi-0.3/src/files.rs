//! Does to a file what a request says: `/files/read/index.html` reads `index.html`.

use crate::wasi::filesystem::preopens::get_directories;
use crate::wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags};

/// Returns the outcome in text: the content, or the name of the error code.
pub async fn respond(request: &str) -> String {
    let Some((action, path)) = request.split_once('/') else { return "an action is missing".to_owned() };
    let directories = get_directories();
    let [(root, _)] = &directories[..] else { return format!("{} directories", directories.len()) };
    match act(root, action, path).await {
        Ok(outcome) => outcome,
        Err(error) => format!("{error:?}"),
    }
}

async fn act(root: &Descriptor, action: &str, path: &str) -> Result<String, ErrorCode> {
    match action {
        "read" => read(root, PathFlags::SYMLINK_FOLLOW, path).await,
        "read-no-follow" => read(root, PathFlags::empty(), path).await,
        "list" => {
            let directory = open(root, path).await?;
            let (entries, result) = directory.read_directory();
            let mut names: Vec<_> =
                entries.collect().await.into_iter().map(|entry| format!("{} {:?}", entry.name, entry.type_)).collect();
            result.await?;
            names.sort();
            Ok(names.join("\n"))
        }
        "create" => opened(root, path, OpenFlags::CREATE, DescriptorFlags::WRITE).await,
        "truncate" => opened(root, path, OpenFlags::TRUNCATE, DescriptorFlags::READ).await,
        "write" => opened(root, path, OpenFlags::empty(), DescriptorFlags::WRITE).await,
        "directory" => opened(root, path, OpenFlags::DIRECTORY, DescriptorFlags::READ).await,
        "append" => {
            let file = open(root, path).await?;
            let (mut data, read) = crate::wit_stream::new();
            let result = file.append_via_stream(read);
            data.write_all(b"more".to_vec()).await;
            drop(data);
            done(result.await)
        }
        "stat" => {
            let stat = root.stat_at(PathFlags::SYMLINK_FOLLOW, path.to_owned()).await?;
            Ok(format!("{:?}, {} bytes", stat.type_, stat.size))
        }
        "read-link" => root.readlink_at(path.to_owned()).await,
        "unlink" => done(root.unlink_file_at(path.to_owned()).await),
        "make-directory" => done(root.create_directory_at(path.to_owned()).await),
        "remove-directory" => done(root.remove_directory_at(path.to_owned()).await),
        "rename" => done(root.rename_at(path.to_owned(), root, "new".to_owned()).await),
        "link" => done(root.link_at(PathFlags::empty(), path.to_owned(), root, "new".to_owned()).await),
        "symlink" => done(root.symlink_at(path.to_owned(), "new".to_owned()).await),
        "set-size" => done(open(root, path).await?.set_size(0).await),
        "set-times" => {
            let now = || NewTimestamp::Now;
            done(root.set_times_at(PathFlags::empty(), path.to_owned(), now(), now()).await)
        }
        "hold" => Ok(hold(|| open(root, path)).await),
        "hold-streams" => Ok(hold(async || Ok::<_, ErrorCode>(open(root, path).await?.read_via_stream(0))).await),
        "hold-listings" => {
            let hold_one = async || {
                let (mut entries, result) = open(root, path).await?.read_directory();
                // The directory is listed when the stream is first read.
                match entries.next().await {
                    Some(_) => Ok(entries),
                    None => Err(result.await.expect_err("the directory has entries")),
                }
            };
            Ok(hold(hold_one).await)
        }
        _ => Ok("an unknown action".to_owned()),
    }
}

fn done(result: Result<(), ErrorCode>) -> Result<String, ErrorCode> {
    result.map(|()| "done".to_owned())
}

async fn open(root: &Descriptor, path: &str) -> Result<Descriptor, ErrorCode> {
    root.open_at(PathFlags::SYMLINK_FOLLOW, path.to_owned(), OpenFlags::empty(), DescriptorFlags::READ).await
}

async fn opened(
    root: &Descriptor,
    path: &str,
    open_flags: OpenFlags,
    flags: DescriptorFlags,
) -> Result<String, ErrorCode> {
    root.open_at(PathFlags::SYMLINK_FOLLOW, path.to_owned(), open_flags, flags).await.map(|_| "opened".to_owned())
}

async fn read(root: &Descriptor, path_flags: PathFlags, path: &str) -> Result<String, ErrorCode> {
    let file = root.open_at(path_flags, path.to_owned(), OpenFlags::empty(), DescriptorFlags::READ).await?;
    let (bytes, result) = file.read_via_stream(0);
    let bytes = bytes.collect().await;
    result.await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Opens until that fails, and returns how often it has succeeded, with the error.
async fn hold<T>(open: impl AsyncFn() -> Result<T, ErrorCode>) -> String {
    let mut held = Vec::new();
    let error = loop {
        match open().await {
            Ok(one) => held.push(one),
            Err(error) => break error,
        }
    };
    format!("{} {error:?}", held.len())
}
