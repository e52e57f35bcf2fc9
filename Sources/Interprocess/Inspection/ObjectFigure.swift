/// One number that an object says of itself, to whoever only looks.
public struct ObjectFigure: Sendable, Equatable {
    /// What it is over time.
    public enum Kind: Sendable, Hashable {
        /// 1 if it is so, 0 if not.
        case flag
        /// Goes up and down.
        case level
        /// Goes up only, but for its last bits: how fast says something.
        case counter
    }

    /// In the words that all objects use alike: "waiting", "sent", "dropped".
    public let name: String
    public let value: UInt64
    public let kind: Kind
}

/// What an object says of itself and of what its peers are to it, gathered without taking part.
struct ObjectFigures {
    private(set) var figures: [ObjectFigure] = []
    private(set) var parts: [PeerID: [String]] = [:]

    mutating func level(_ name: String, _ value: some BinaryInteger) {
        figures.append(ObjectFigure(name: name, value: UInt64(clamping: value), kind: .level))
    }

    mutating func flag(_ name: String, _ isSo: Bool) { figures.append(ObjectFigure(name: name, value: isSo ? 1 : 0, kind: .flag)) }

    mutating func counter(_ name: String, _ value: some BinaryInteger) {
        figures.append(ObjectFigure(name: name, value: UInt64(clamping: value), kind: .counter))
    }

    /// `peer` is this to the object.
    mutating func part(_ peer: PeerID, _ what: String) { parts[peer, default: []].append(what) }
}
