//! Why a request is not answered as it was meant: with what status, in which words for whoever sees the page, and what the
//! owner of the site can do.

use hyper::StatusCode;

use super::stats::AppFailure;

/// Why a request is not answered as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The request cannot be understood in one way only; in which respect.
    Unsound(&'static str),
    /// The host is another than the one TLS was agreed on for.
    Misdirected,
    /// No route leads from this host.
    HostUnknown,
    /// Routes lead from this host, but not from this path.
    PathUnknown,
    /// There is no such file.
    FileMissing,
    /// The file could not be read; what the system said.
    FileUnreadable(String),
    /// A method that is not served: TRACE, CONNECT.
    MethodRefused,
    /// A method that files do not know.
    FilesAreRead,
    /// `Expect` asks for what is not known.
    ExpectationUnknown,
    /// The protocol to switch to is not passed on.
    ProtocolRefused,
    /// The request has been here before.
    Circle,
    /// All apps of the route are drained.
    Drained,
    /// The owner says that the site takes a break; what visitors are told.
    Maintenance(Box<str>),
    /// The name of the app cannot be resolved.
    AppNameUnknown,
    /// Nobody listens at the app's address.
    AppRefused,
    /// The app cannot be reached; what the system said.
    AppUnreachable(String),
    /// The app does not take the connection in time.
    AppConnectSlow,
    /// The app's TLS is no good; in which respect.
    AppTls(String),
    /// The app closed the connection without an answer.
    AppClosed,
    /// What the app answered is no HTTP.
    AppGarbled,
    /// The app does not answer in time.
    AppSlow,
    /// There is no DNS query in the request; in which respect.
    DnsUnreadable(&'static str),
    /// The DNS query is longer than a message can be.
    DnsTooLong,
    /// The body is said to be something else than a DNS message.
    DnsKind,
    /// A method that is none for DNS.
    DnsMethod,
    /// The client sends its body too slowly.
    UploadSlow,
    /// It is not in the cache, and the client wants nothing else.
    NotCached,
    /// The client broke off its body.
    UploadBroken,
    /// The route is not for the client's network.
    NetworkRefused,
    /// The client asks more often than the route grants.
    TooOften,
    /// The client has to show a certificate.
    CertificateWanted,
    /// The client has to say who it is, or said it wrong.
    PasswordWanted,
    /// The client has guessed too often.
    TooManyGuesses,
    /// More passwords wait to be compared than can be.
    PasswordsBusy,
    /// Whoever is to say whether the request may pass does not; why not.
    GuardSilent(String),
    /// The body is larger than the route takes.
    BodyTooLarge,
    /// It ended in a panic.
    Panic,
}

impl Failure {
    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Unsound(_) | Self::UploadBroken | Self::DnsUnreadable(_) => StatusCode::BAD_REQUEST,
            Self::DnsTooLong | Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::DnsKind => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::HostUnknown | Self::PathUnknown | Self::FileMissing => StatusCode::NOT_FOUND,
            Self::MethodRefused | Self::FilesAreRead | Self::DnsMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::ExpectationUnknown => StatusCode::EXPECTATION_FAILED,
            Self::ProtocolRefused => StatusCode::NOT_IMPLEMENTED,
            Self::Circle => StatusCode::LOOP_DETECTED,
            Self::NetworkRefused | Self::CertificateWanted => StatusCode::FORBIDDEN,
            Self::TooOften | Self::TooManyGuesses => StatusCode::TOO_MANY_REQUESTS,
            Self::PasswordWanted => StatusCode::UNAUTHORIZED,
            Self::GuardSilent(_) => StatusCode::BAD_GATEWAY,
            Self::Drained | Self::Maintenance(_) | Self::PasswordsBusy => StatusCode::SERVICE_UNAVAILABLE,
            Self::AppNameUnknown
            | Self::AppRefused
            | Self::AppUnreachable(_)
            | Self::AppTls(_)
            | Self::AppClosed
            | Self::AppGarbled => StatusCode::BAD_GATEWAY,
            Self::AppConnectSlow | Self::AppSlow | Self::NotCached => StatusCode::GATEWAY_TIMEOUT,
            Self::UploadSlow => StatusCode::REQUEST_TIMEOUT,
            Self::FileUnreadable(_) | Self::Panic => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What is wrong, for whoever sees the page. Nothing in it tells what is inside.
    pub(super) fn what(&self) -> &str {
        match self {
            Self::Unsound(what) | Self::DnsUnreadable(what) => what,
            Self::DnsTooLong => "A DNS message has at most 65535 octets.",
            Self::DnsKind => "A DNS query is sent with the content type application/dns-message.",
            Self::DnsMethod => "DNS is asked here by GET or POST.",
            Self::Misdirected => "This connection was made for another site. Opening the page again makes a new one.",
            Self::HostUnknown => "No site of this name is served here.",
            Self::PathUnknown => "This site has no page at this address.",
            Self::FileMissing => "There is no such page here.",
            Self::FileUnreadable(_) => "The page is here but cannot be read.",
            Self::MethodRefused => "Requests of this method are not answered.",
            Self::FilesAreRead => "The pages here can only be read: GET or HEAD.",
            Self::ExpectationUnknown => "The request expects something that is not known here.",
            Self::ProtocolRefused => "The request asks for a protocol that is not passed on.",
            Self::Circle => "The request has come back to where it already was.",
            Self::Maintenance(text) => text,
            Self::Drained => "The site is taking a break. Please try again in a while.",
            Self::AppNameUnknown | Self::AppUnreachable(_) => "The app behind this site cannot be reached.",
            Self::AppRefused => "The app behind this site is not running.",
            Self::AppConnectSlow => "The app behind this site does not take connections at present.",
            Self::AppTls(_) => "No secure connection to the app behind this site can be made.",
            Self::AppClosed => "The app behind this site hung up without an answer.",
            Self::AppGarbled => "The app behind this site gave an answer that cannot be understood.",
            Self::AppSlow => "The app behind this site takes too long to answer.",
            Self::UploadSlow => "The request took too long to arrive.",
            Self::UploadBroken => "The request broke off before its end.",
            Self::NotCached => "The page is not in the cache, and nothing else was asked for.",
            Self::NetworkRefused => "This site is not open to the network that the request came from.",
            Self::TooOften => "Too many requests came from your network. Please try again in a while.",
            Self::CertificateWanted => "This site is only for those who show a certificate of theirs.",
            Self::PasswordWanted => "This site wants a name and a password.",
            Self::TooManyGuesses => "Too many wrong passwords came from your network. Please try again in a while.",
            Self::PasswordsBusy => "Too many people sign in at once. Please try again in a moment.",
            Self::GuardSilent(_) => "Whether you may see this site cannot be found out at present.",
            Self::BodyTooLarge => "What was sent is larger than this site takes.",
            Self::Panic => "Something went wrong here.",
        }
    }

    /// What the owner of the site can do.
    pub(super) fn cure(&self) -> &'static str {
        match self {
            Self::Unsound(_) | Self::ExpectationUnknown | Self::UploadSlow | Self::UploadBroken => {
                "Correct the program that sent the request, or whatever stands between it and this server."
            }
            Self::DnsUnreadable(_) | Self::DnsTooLong | Self::DnsKind | Self::DnsMethod => {
                "This is DNS over HTTPS (RFC 8484): ask with a client for it, such as \"kdig +https\"."
            }
            Self::Misdirected => "If it happens again, look whether the name that TLS is told is the one in Host.",
            Self::HostUnknown => {
                "Add a route with \"freehold route add\"; \"freehold route list\" shows which there are."
            }
            Self::PathUnknown => {
                "Add a route without a path, or with this one; \"freehold route list\" shows which there are."
            }
            Self::FileMissing => {
                "Look for the file in the folder of the route. Names that begin with a dot are not shown."
            }
            Self::FileUnreadable(_) => {
                "Let the user that runs freehold read the folder; the log says what the system said."
            }
            Self::MethodRefused => "This server is no forward proxy, and it reflects nothing.",
            Self::FilesAreRead => "Name an app as the target of the route if it is to take data.",
            Self::ProtocolRefused => "WebSocket is passed on, and over HTTP/1.1 any other upgrade but h2c and TLS.",
            Self::Circle => "The target of the route leads back here: name the address of the app itself.",
            Self::Maintenance(_) => "\"freehold route set\" with \"--option maintenance=\" ends the break.",
            Self::Drained => "Every app of the route is drained: \"freehold route list\" shows it.",
            Self::AppNameUnknown => {
                "The name in the route's target cannot be resolved: correct it, or write an address."
            }
            Self::AppRefused => {
                "Nobody listens at the address in the route's target: start the app or correct the address."
            }
            Self::AppUnreachable(_) => {
                "Look at the network between this server and the app; the log says what the system said."
            }
            Self::AppConnectSlow => "Look whether the app is overloaded, or a firewall drops what is sent to it.",
            Self::AppTls(_) => {
                "The log says what is wrong with the app's certificate. https+insecure:// in the target takes any."
            }
            Self::AppClosed => "The app's own log says why. A request that changes something is never sent twice.",
            Self::AppGarbled => "Look whether the target speaks another protocol: https://, or h2c:// for gRPC.",
            Self::AppSlow => "Find out what keeps the app busy, or raise answer_seconds in [edge.apps].",
            Self::NotCached => "Ask without only-if-cached in Cache-Control.",
            Self::NetworkRefused => {
                "The networks that may come are \"access\" in the options of the route. Behind another proxy, name it in trusted_proxies."
            }
            Self::TooOften => "What is granted is \"rate_limit\" in the options of the route.",
            Self::CertificateWanted => "Who vouches for clients is \"client_certificate\" in the options of the route.",
            Self::PasswordWanted => {
                "Who may come is \"basic_auth\" in the options of the route; \"freehold route password\" makes a hash."
            }
            Self::TooManyGuesses => "Ten passwords are compared at once for a network, then one every six seconds.",
            Self::PasswordsBusy => "Somebody guesses passwords from many networks: the access log shows them.",
            Self::GuardSilent(_) => {
                "Look at what \"forward_auth\" in the options of the route asks; the log says what is wrong with it."
            }
            Self::BodyTooLarge => "What is taken is \"body_size_max\" in the options of the route.",
            Self::Panic => "This is a bug in Freehold. Please report it with what the log says.",
        }
    }

    /// What only the log is told.
    pub(super) fn secret(&self) -> Option<&str> {
        if let Self::AppTls(reason)
        | Self::AppUnreachable(reason)
        | Self::FileUnreadable(reason)
        | Self::GuardSilent(reason) = self
        {
            return Some(reason);
        }
        None
    }

    /// What it is counted as, if it is inside.
    pub(super) fn counted(&self) -> AppFailure {
        match self {
            Self::AppNameUnknown => AppFailure::Unresolved,
            Self::AppRefused => AppFailure::Refused,
            Self::AppUnreachable(_) => AppFailure::Unreachable,
            Self::AppConnectSlow => AppFailure::ConnectTimeout,
            Self::AppTls(_) => AppFailure::Tls,
            Self::AppClosed => AppFailure::Closed,
            Self::AppGarbled => AppFailure::Garbled,
            Self::AppSlow => AppFailure::Timeout,
            Self::Drained => AppFailure::Drained,
            Self::Unsound(_)
            | Self::Misdirected
            | Self::HostUnknown
            | Self::PathUnknown
            | Self::FileMissing
            | Self::FileUnreadable(_)
            | Self::MethodRefused
            | Self::FilesAreRead
            | Self::ExpectationUnknown
            | Self::ProtocolRefused
            | Self::Circle
            | Self::Maintenance(_)
            | Self::DnsUnreadable(_)
            | Self::DnsTooLong
            | Self::DnsKind
            | Self::DnsMethod
            | Self::UploadSlow
            | Self::UploadBroken
            | Self::NotCached
            | Self::NetworkRefused
            | Self::TooOften
            | Self::CertificateWanted
            | Self::PasswordWanted
            | Self::TooManyGuesses
            | Self::PasswordsBusy
            | Self::GuardSilent(_)
            | Self::BodyTooLarge
            | Self::Panic => AppFailure::Inside,
        }
    }

    /// Whether it is the app's or ours rather than the client's, and nobody meant it.
    pub(super) fn is_inside(&self) -> bool {
        self.status().is_server_error() && !matches!(self, Self::Maintenance(_) | Self::NotCached)
    }

    /// Whether it speaks against the app.
    pub(super) fn is_of_the_app(&self) -> bool {
        !matches!(self.counted(), AppFailure::Inside | AppFailure::Drained)
    }

    /// Whether the app took no connection, as one does that is just being started again: nobody listens, its name is not known,
    /// its address leads nowhere.
    pub(super) fn is_of_absence(&self) -> bool {
        matches!(self, Self::AppRefused | Self::AppNameUnknown | Self::AppUnreachable(_))
    }
}
