/// What a server says when it cannot do what it was asked for. Thrown in a handler, it comes out of the caller's call as ``CallError/failed(_:)``.
public struct ServiceFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The service's own number.
    public let code: UInt32
    /// At most 120 bytes of it get to the caller.
    public let text: String

    public init(_ text: String, code: UInt32 = 0) {
        self.text = text
        self.code = code
    }

    public var description: String { code == 0 ? text : "\(text) (\(code))" }
}

/// Why a call has no reply.
public enum CallError: Error, Sendable, Equatable, CustomStringConvertible {
    /// As many calls are in flight as the service takes (only from calls that do not wait).
    case full
    /// The deadline passed before there was a reply. The server is told, if one has the call.
    case deadline
    /// The task was cancelled. The server is told, if one has the call.
    case cancelled
    /// The server died with the call, and so did those that it was sent to again, if there were any.
    case peerDied(DeathNotice)
    /// There is no server, and the client does not wait for one. None has had the call.
    case noServer
    /// The server says that it could not do it.
    case failed(ServiceFailure)
    /// The server ended the call without a reply.
    case unanswered
    /// The request is larger than this many bytes, the largest that the service takes.
    case tooLarge(limit: Int)
    /// The file system has no room for the request's bytes, which are reserved as they are needed.
    case noSpace
    /// This process was forked from the one that opened the service; open it anew.
    case detached
    /// The field of this name in the shared memory is impossible: somebody wrote there who should not.
    case damaged(String)

    public var description: String {
        switch self {
        case .full: "not called: as many calls are in flight as the service takes; wait, or make it with more capacity"
        case .deadline: "there was no reply before the deadline"
        case .cancelled: "the task was cancelled"
        case .peerDied(let notice): "the server died with the call (\(notice)); it may have been done or not"
        case .noServer: "not called: the service has no server; start one, or let the client wait for it (whenNoServer: .wait)"
        case .failed(let failure): "the server says: \(failure)"
        case .unanswered: "the server ended the call without a reply"
        case .tooLarge(let limit):
            "not called: the request is larger than the service's \(limit) bytes; make the service with a larger maximumRequestSize"
        case .noSpace:
            "not called: the file system of the service is full; send less at once, remove what is not needed ('ipc list'), or make it larger (in a container --shm-size)"
        case .detached: "not called: this process was forked from the one that opened the service; open it anew in the child"
        case .damaged(let field): "the service is damaged (field '\(field)'); remove it and create it anew"
        }
    }
}

/// Why a server got no call, or could not reply to one.
public enum ServeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The deadline passed and nothing had come; or the client did not read its stream's parts before it.
    case deadline
    /// The task was cancelled.
    case cancelled
    /// Nobody waits for the reply any more: the client gave up, ran out of time, or died.
    case callerGone
    /// The reply is larger than this many bytes, the largest that the service takes.
    case tooLarge(limit: Int)
    /// The file system has no room for the reply's bytes, which are reserved as they are needed.
    case noSpace
    /// The client asked for one reply and not for a stream of parts; reply to it.
    case notStreamed
    /// This process was forked from the one that opened the service; open it anew.
    case detached
    /// The field of this name in the shared memory is impossible: somebody wrote there who should not.
    case damaged(String)
    /// The same of a field of this call alone: its client wrote there what it should not. Other calls go on.
    case callDamaged(String)

    /// Whether it says as much of other calls, and not only of the one that it is told of.
    var concernsAll: Bool {
        switch self {
        case .noSpace, .detached, .damaged: true
        case .deadline, .cancelled, .callerGone, .tooLarge, .notStreamed, .callDamaged: false
        }
    }

    public var description: String {
        switch self {
        case .deadline: "the deadline passed"
        case .cancelled: "the task was cancelled"
        case .callerGone: "nobody waits for the reply any more: the client gave up, ran out of time, or died"
        case .tooLarge(let limit):
            "not replied: the reply is larger than the service's \(limit) bytes; make the service with a larger maximumReplySize"
        case .noSpace:
            "not replied: the file system of the service is full; send less at once, remove what is not needed ('ipc list'), or make it larger (in a container --shm-size)"
        case .notStreamed: "the client asked for one reply, not for a stream of parts; reply to it"
        case .detached: "this process was forked from the one that opened the service; open it anew in the child"
        case .damaged(let field): "the service is damaged (field '\(field)'); remove it and create it anew"
        case .callDamaged(let field):
            "the call is damaged (field '\(field)'): its client wrote what it should not; go on with other calls, and look at that client"
        }
    }
}
