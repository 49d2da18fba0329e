//! Why a camera in the network delivers no pictures.

use std::io;
use std::time::Duration;

use reqwest::StatusCode;

use crate::multipart::{MAX_PART_LENGTH, MultipartError};
use crate::status::{Outage, OutageCause};

/// The most redirects to follow. Cameras have at most one to their login and one to https.
pub(super) const MAX_REDIRECTS: u32 = 5;

/// Why a camera in the network delivers no pictures. The messages follow the address of the camera.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NetworkError {
    /// Nothing listens at the port.
    #[error("connection refused; check that the server runs, and the port")]
    Refused,
    /// The name of the host cannot be resolved.
    #[error("the name cannot be resolved: {0}; check its spelling")]
    UnknownHost(String),
    /// The certificate of the server is not trusted.
    #[error("{0}; add the issuer to the certificates of this system, or add the option `insecure`")]
    Certificate(String),
    /// The connection could not be established for any other reason.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// There was no response in time.
    #[error("no response within {} seconds", .0.as_secs())]
    NoResponse(Duration),
    /// The server requires credentials, and none are configured.
    #[error("the server requires a user name and a password; put USER:PASSWORD in a file and add ,credentials=FILE")]
    NeedsCredentials,
    /// The server refuses the credentials.
    #[error("the server refuses the user name or the password of the credentials file")]
    WrongCredentials,
    /// Another server, to which the first one redirects, requires credentials.
    #[error(
        "the server redirects to {0}, which requires a user name and a password; they are sent only to the server of \
         the address, so use an address at {0}"
    )]
    CredentialsElsewhere(String),
    /// The server supports neither Basic nor Digest.
    #[error("the server supports neither Basic nor Digest credentials, but {0}")]
    UnsupportedCredentials(String),
    /// The response has an error status.
    #[error("the server responds with {0}{advice}", advice = advice(*.0))]
    Status(StatusCode),
    /// The server reports why its camera has no picture.
    #[error("{}", .0.message)]
    Reported(Outage),
    /// There are too many redirects.
    #[error("the server redirects more than {MAX_REDIRECTS} times; use the address of the stream itself")]
    TooManyRedirects,
    /// A redirect leads nowhere.
    #[error("the server redirects to an invalid address; use the address of the stream itself")]
    InvalidRedirect,
    /// The response is neither a multipart stream nor a JPEG image.
    #[error("the server sends {content_type} instead of a JPEG image or a multipart stream{advice}", advice = type_advice(.content_type))]
    NotPictures {
        /// The type of the response.
        content_type: String,
    },
    /// The response is not what its type says.
    #[error("the stream is malformed: {0}")]
    Malformed(#[from] MultipartError),
    /// The image does not end.
    #[error("the picture is longer than {} MiB", MAX_PART_LENGTH >> 20)]
    TooLong,
    /// The server ended the stream.
    #[error("the server ended the stream")]
    Ended,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// No whole image arrived for too long.
    #[error("no picture for {} seconds{details}", after.as_secs(), details = stall_details(*bytes, *damaged))]
    Stalled {
        /// How long no whole image arrived.
        after: Duration,
        /// How many bytes arrived meanwhile.
        bytes: u64,
        /// How many damaged images arrived meanwhile.
        damaged: u64,
    },
}

impl NetworkError {
    /// Classifies an error of the HTTP client.
    pub(super) fn from_client(error: &reqwest::Error) -> Self {
        // The last error of the chain has the reason; the others repeat it or name the URL.
        let mut deepest: &dyn std::error::Error = error;
        let mut is_dns = false;
        let mut is_certificate = false;
        while let Some(source) = deepest.source() {
            deepest = source;
            is_dns |= deepest.to_string().starts_with("dns error");
            is_certificate |= deepest.to_string().starts_with("invalid peer certificate");
            if let Some(error) = deepest.downcast_ref::<io::Error>()
                && error.kind() == io::ErrorKind::ConnectionRefused
            {
                return Self::Refused;
            }
        }
        let reason = deepest.to_string();
        match () {
            () if is_dns => Self::UnknownHost(reason),
            () if is_certificate => Self::Certificate(reason),
            () if error.is_connect() => Self::Connect(reason),
            () => Self::Broken(reason),
        }
    }

    /// The kind of the outage.
    pub(crate) fn cause(&self) -> OutageCause {
        match self {
            Self::Refused
            | Self::UnknownHost(_)
            | Self::Connect(_)
            | Self::Status(StatusCode::NOT_FOUND | StatusCode::GONE)
            | Self::Ended => OutageCause::NotFound,
            Self::NeedsCredentials
            | Self::WrongCredentials
            | Self::CredentialsElsewhere(_)
            | Self::UnsupportedCredentials(_)
            | Self::Certificate(_)
            | Self::Status(StatusCode::FORBIDDEN) => OutageCause::AccessDenied,
            Self::Status(StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => OutageCause::Busy,
            Self::Reported(outage) => outage.cause,
            Self::NotPictures { .. } => OutageCause::Unsupported,
            Self::NoResponse(_) | Self::Stalled { .. } => OutageCause::Stalled,
            Self::Status(_)
            | Self::TooManyRedirects
            | Self::InvalidRedirect
            | Self::Malformed(_)
            | Self::TooLong
            | Self::Broken(_) => OutageCause::Failed,
        }
    }
}

/// What to do about a status.
fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "; check the path: the stream is often at /video_feed, /stream or /?action=stream",
        StatusCode::FORBIDDEN => "; it may allow only certain addresses",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "; it may be busy with other viewers",
        _ => "",
    }
}

fn type_advice(content_type: &str) -> &'static str {
    if content_type.starts_with("text/html") {
        "; this is a page, and the stream is often at /video_feed, /stream or /?action=stream"
    } else {
        ""
    }
}

fn stall_details(bytes: u64, damaged: u64) -> String {
    match (bytes, damaged) {
        (0, _) => "; the server is silent".to_owned(),
        (_, 0) => format!("; {bytes} bytes of one arrived (for a slow camera, set fps= to its rate)"),
        (_, damaged) => format!(", only {damaged} damaged"),
    }
}
