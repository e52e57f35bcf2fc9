import InterprocessSystem

/// How a call ended whose state is replied.
@frozen @usableFromInline
enum CallOutcome: UInt64, Sendable {
    /// The reply stands in the record; of a stream: its end.
    case reply = 0
    /// The server says why it has none.
    case failure = 1
    /// The server ended the call without a reply.
    case nothing = 2
}

/// The state of a call: one word, changed as a whole.
///
/// **States**
///
/// | bits | meaning |
/// |---|---|
/// | 0–31 | PeerID of the client (sending) or the server (serving, abandoned, failed); 0: nobody |
/// | 32–35 | 1 free, 2 sending, 3 withdrawn, 4 serving, 5 abandoned, 6 replied, 7 failed; 0 is impossible: a forked child's zeroes |
/// | 36 | the client takes parts (a stream) |
/// | 37–39 | of replied: its outcome |
/// | 44–63 | generation: how often the record was claimed or its call sent again, modulo 2^20 |
@frozen @usableFromInline
struct CallState: Equatable, Sendable {
    @usableFromInline let word: UInt64

    enum Kind: UInt64 { case free = 1, sending, withdrawn, serving, abandoned, replied, failed }

    @inlinable @inline(__always) init(word: UInt64) { self.word = word }

    @inline(__always)
    private init(_ kind: Kind, peer: UInt32, isStreamed: Bool, outcome: CallOutcome = .reply, generation: UInt32) {
        word =
            UInt64(peer) | kind.rawValue << 32 | (isStreamed ? 1 : 0) << 36 | outcome.rawValue << 37
            | UInt64(generation & Self.generationMask) << 44
    }

    private static let generationMask: UInt32 = (1 << 20) - 1

    static let unused = CallState(.free, peer: 0, isStreamed: false, generation: 0)

    var kind: Kind? { Kind(rawValue: word >> 32 & 15) }
    var peerBits: UInt32 { UInt32(truncatingIfNeeded: word) }
    var peer: PeerID? { PeerID(rawValue: peerBits) }
    @inline(__always) var isStreamed: Bool { word >> 36 & 1 != 0 }
    var outcome: CallOutcome? { CallOutcome(rawValue: word >> 37 & 7) }
    @inline(__always) var generation: UInt32 { UInt32(word >> 44) }
    @inline(__always) var isFree: Bool { word >> 32 & 15 == Kind.free.rawValue }
    @inline(__always) var isSending: Bool { word >> 32 & 15 == Kind.sending.rawValue }

    /// From free, or from failed.
    @inline(__always)
    func sending(by peer: PeerID, isStreamed: Bool) -> CallState {
        CallState(.sending, peer: peer.rawValue, isStreamed: isStreamed, generation: generation &+ 1)
    }
    @inline(__always) func freed() -> CallState { CallState(.free, peer: 0, isStreamed: false, generation: generation) }
    func withdrawn() -> CallState { CallState(.withdrawn, peer: 0, isStreamed: isStreamed, generation: generation) }
    @inline(__always)
    func serving(by peer: PeerID) -> CallState {
        CallState(.serving, peer: peer.rawValue, isStreamed: isStreamed, generation: generation)
    }
    /// From serving.
    func abandoned() -> CallState { CallState(.abandoned, peer: peerBits, isStreamed: isStreamed, generation: generation) }
    @inline(__always)
    func replied(_ outcome: CallOutcome) -> CallState {
        CallState(.replied, peer: 0, isStreamed: isStreamed, outcome: outcome, generation: generation)
    }
    /// From serving.
    func failed() -> CallState { CallState(.failed, peer: peerBits, isStreamed: isStreamed, generation: generation) }
}
