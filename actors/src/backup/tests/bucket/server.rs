//! The server, around it lists in pages of two and the comparison of checksums, and a line to it
//! that can break.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::TryStreamExt as _;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use md5::{Digest as _, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    DeleteObjectInput, DeleteObjectOutput, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, StreamingBlob, UploadPartInput,
    UploadPartOutput,
};
use s3s::{
    Body, S3, S3Request, S3Response, S3Result, auth::SimpleAuth, s3_error,
    service::S3ServiceBuilder,
};
use s3s_fs::FileSystem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
};

pub(super) const KEY: &str = "a-key";
pub(super) const SECRET: &str = "what-only-the-store-and-we-know";
const PAGE: usize = 2;

/// What is wrong with the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Each connection ends after so many bytes towards the server.
    CutsRequestsAt(usize),
    /// Each connection ends after so many bytes from the server.
    CutsAnswersAt(usize),
    /// Once, a byte is changed after so many of a connection towards the server.
    DamagesOnceAfter(usize),
    /// Nothing arrives any more after so many bytes towards the server, and nothing ends.
    HangsAt(usize),
}

struct Line {
    fault: Mutex<Fault>,
    cut: AtomicUsize,
    asked: Notify,
}

pub(super) struct Server {
    pub(super) url: String,
    root: tempfile::TempDir,
    line: Arc<Line>,
    pages: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("backups")).unwrap();
        let (pages, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let inner = FileSystem::new(root.path()).unwrap();
        let store = Careful { inner, pages: pages.clone(), refused: refused.clone() };
        let mut service = S3ServiceBuilder::new(store);
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build().into_shared();
        let behind = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", front.local_addr().unwrap());
        let to = behind.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = behind.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    drop(server.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        let (fault, cut) = (Mutex::new(Fault::None), AtomicUsize::new(0));
        let line = Arc::new(Line { fault, cut, asked: Notify::new() });
        let lines = line.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = front.accept().await {
                let (line, behind) = (lines.clone(), TcpStream::connect(to).await.unwrap());
                let (from_client, to_client) = stream.into_split();
                let (from_server, to_server) = behind.into_split();
                tokio::spawn(carry(line.clone(), from_client, to_server, true));
                tokio::spawn(carry(line, from_server, to_client, false));
            }
        });
        Self { url, root, line, pages, refused }
    }

    /// From now on, for connections that are there, too.
    pub(super) fn fail(&self, fault: Fault) {
        *self.line.fault.lock().unwrap() = fault;
    }

    /// How many connections were cut.
    pub(super) fn cut(&self) -> usize {
        self.line.cut.load(Ordering::SeqCst)
    }

    /// Resolves when somebody asks on a line that hangs.
    pub(super) async fn asked(&self) {
        self.line.asked.notified().await;
    }

    /// How many pages of lists were asked for.
    pub(super) fn pages(&self) -> usize {
        self.pages.load(Ordering::SeqCst)
    }

    /// How many parts were refused because of their checksum.
    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// How much of unfinished uploads the server still keeps.
    pub(super) fn left_over(&self) -> usize {
        let entries = std::fs::read_dir(self.root.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("upload")).count()
    }
}

async fn carry(line: Arc<Line>, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, asks: bool) {
    let (mut piece, mut carried) = (vec![0; 2_048], 0);
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        let fault = *line.fault.lock().unwrap();
        carried += count;
        match fault {
            Fault::HangsAt(most) if asks && carried > most => {
                line.asked.notify_one();
                std::future::pending::<()>().await;
            }
            Fault::CutsRequestsAt(most) if asks && carried > most => break,
            Fault::CutsAnswersAt(most) if !asks && carried > most => break,
            Fault::DamagesOnceAfter(most) if asks && carried > most => {
                piece[count - 1] ^= 1;
                *line.fault.lock().unwrap() = Fault::None;
            }
            Fault::None
            | Fault::CutsRequestsAt(_)
            | Fault::CutsAnswersAt(_)
            | Fault::DamagesOnceAfter(_)
            | Fault::HangsAt(_) => {}
        }
        if to.write_all(&piece[..count]).await.is_err() {
            return;
        }
    }
    if *line.fault.lock().unwrap() != Fault::None {
        line.cut.fetch_add(1, Ordering::SeqCst);
    }
}

/// The server lists everything at once and takes any part; the others list in pages, and refuse a
/// part that is not what its checksum says.
struct Careful {
    inner: FileSystem,
    pages: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

type Answered<T> = S3Result<S3Response<T>>;

#[async_trait::async_trait]
impl S3 for Careful {
    async fn list_objects_v2(
        &self,
        mut request: S3Request<ListObjectsV2Input>,
    ) -> Answered<ListObjectsV2Output> {
        self.pages.fetch_add(1, Ordering::SeqCst);
        request.input.start_after = request.input.continuation_token.take();
        let mut response = self.inner.list_objects_v2(request).await?;
        let output = &mut response.output;
        let all = output.contents.get_or_insert_default();
        if all.len() > PAGE {
            all.truncate(PAGE);
            output.next_continuation_token = all.last().and_then(|last| last.key.clone());
        }
        output.is_truncated = Some(output.next_continuation_token.is_some());
        Ok(response)
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> Answered<GetObjectOutput> {
        self.inner.get_object(request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answered<HeadObjectOutput> {
        self.inner.head_object(request).await
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> Answered<DeleteObjectOutput> {
        self.inner.delete_object(request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answered<CreateMultipartUploadOutput> {
        self.inner.create_multipart_upload(request).await
    }

    async fn upload_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> Answered<UploadPartOutput> {
        let body = request.input.body.take().ok_or_else(|| s3_error!(IncompleteBody))?;
        let pieces: Vec<Bytes> = body.try_collect().await.map_err(|_| s3_error!(IncompleteBody))?;
        let content: Vec<u8> = pieces.concat();
        let checksum = STANDARD.encode(Md5::digest(&content));
        if request.input.content_md5.as_ref() != Some(&checksum) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(s3_error!(BadDigest));
        }
        request.input.body = Some(StreamingBlob::from(Body::from(content)));
        self.inner.upload_part(request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answered<CompleteMultipartUploadOutput> {
        self.inner.complete_multipart_upload(request).await
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answered<AbortMultipartUploadOutput> {
        self.inner.abort_multipart_upload(request).await
    }
}
