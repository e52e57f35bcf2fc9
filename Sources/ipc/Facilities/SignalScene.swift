import InterprocessSystem
import SystemPackage

/// Real-time signals to this process, read from a descriptor.
final class SignalScene: CarryingScene {
    private let signals: SignalDescriptor
    private static var first: Int32 { Signal.realTime.lowerBound }

    init(in place: ScenePlace, forEverybody: Bool) throws {
        Signal.block([Self.first, Self.first + 1])
        signals = try SignalDescriptor([Self.first, Self.first + 1])
        while try signals.tryReceive() != nil {}
    }

    static var overtaking: String { "by number, the lowest first" }
    private static var me: Int32 { ProcessIdentity.current().pid }
    var address: SceneAddress { .process(Self.me) }
    var descriptor: FileDescriptor? { signals.descriptor }
    static func join(_ address: String) throws {
        guard let pid = Int32(address) else { throw Unexpected("no number") }
        try Signal.send(first, to: pid, value: 7)
    }

    func put(_ bytes: [UInt8]) throws { try Signal.send(Self.first + 1, to: Self.me, value: bytes.reduce(0) { $0 * 10 + Int32($1) }) }
    func putUrgent(_ bytes: [UInt8]) throws { try Signal.send(Self.first, to: Self.me, value: Int32(bytes[0])) }
    func get() throws -> [UInt8]? {
        guard let value = try signals.tryReceive()?.value else { return nil }
        return String(value).utf8.map { $0 - UInt8(ascii: "0") }
    }

    /// Of the process that they are sent to; the one that looks, and one more.
    func access(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        guard ProcessIdentity.current().userID == 0 else { throw NotShown(description: "only root can become another user") }
        return try ScenePeer(row, address, asAnotherUser: true).hasJoined ? "anybody" : "the same user"
    }

    func lasts() throws -> String {
        try put([1])
        // They wait at the process, not at the descriptor.
        let other = try SignalDescriptor([Self.first + 1])
        return try other.tryReceive()?.value == 1 ? "as long as the process that they are sent to" : "?"
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        other.kill()
        guard try get() == [7] else { throw Unexpected("what it had sent is gone") }
        return reading(try get())
    }
}
