import InterprocessSystem
import SystemPackage

/// A message, if there is one.
func tryReceiving<C: MessageChannel & ~Copyable>(_ channel: borrowing C, _ count: Int = 64) throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    return try channel.tryReceive(into: &span).map { Array(bytes[..<$0]) }
}

final class UnixSeqpacketScene: ConnectionScene<UnixSeqpacket>, CarryingScene {
    required override init(in place: ScenePlace, forEverybody: Bool) throws { try super.init(in: place, forEverybody: forEverybody) }
    static func join(_ address: String) throws { try connect(address) }
    func put(_ bytes: [UInt8]) throws { try near!.send(bytes.span) }
    func get() throws -> [UInt8]? { try tryReceiving(far!) }
    func lasts() throws -> String { try nameStays() }
    func descriptors() throws -> String { try passDescriptor() }
    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        try deathOfConnection(row, read: { try tryReceiving($0) }, write: { try $0.send([1].span) })
    }
}

final class UnixDatagramScene: CarryingScene {
    private let path: UnixAddress
    private var receiver: UnixDatagram?
    private let sender: UnixDatagram

    init(in place: ScenePlace, forEverybody: Bool) throws {
        path = socketAddress(place, "datagrams")
        receiver = try UnixDatagram.create(at: path)
        sender = try UnixDatagram.connect(to: path)
    }

    var address: SceneAddress { if case .path(let path) = path { .path(path) } else { .name(path.description) } }
    var descriptor: FileDescriptor? { receiver?.descriptor }

    static func join(_ address: String) throws {
        let socket = try UnixDatagram.connect(to: .path(FilePath(address)))
        try keep(socket.descriptor)
    }

    func put(_ bytes: [UInt8]) throws { try sender.send(bytes.span) }
    func get() throws -> [UInt8]? { try tryReceiving(receiver!) }

    func lasts() throws -> String {
        receiver = nil
        let answers = try errorName { _ = try UnixDatagram.connect(to: path) } == nil
        return answers ? "until removed" : "as long as somebody has it; the path until removed"
    }

    func descriptors() throws -> String {
        let passed = descriptor!
        _ = try sender.send([1], with: [passed])
        var bytes: [UInt8] = [0]
        var span = bytes.mutableSpan
        var came = ReceivedDescriptors()
        _ = try receiver!.receive(into: &span, with: &came)
        return came.count == 1 ? "yes" : "no"
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        // Of who sends.
        let other = try ScenePeer(row, address)
        other.kill()
        let seen = reading(try get())
        // Of who receives: the last that had the socket.
        let given = descriptor!
        let last = try ScenePeer(row, address, giving: [given])
        receiver = nil
        last.kill()
        return "receiver: \(seen); sender: \(try errorName { try put([1]) } ?? "goes on")"
    }
}

final class PosixMessageQueueScene: CarryingScene {
    private let name: String
    private var queue: PosixMessageQueue?

    init(in place: ScenePlace, forEverybody: Bool) throws {
        name = "/" + place.name("queue")
        queue = try PosixMessageQueue.create(
            name, options: .init(maximumMessages: 4, messageSize: 64), permissions: forEverybody ? everybody : .ownerReadWrite)
    }

    deinit { try? PosixMessageQueue.remove(name) }

    static var overtaking: String { "by priority, 0 to \(PosixMessageQueue.highestPriority)" }
    var address: SceneAddress { .name(name) }
    var descriptor: FileDescriptor? { queue?.descriptor }
    static func join(_ address: String) throws {
        let queue = try PosixMessageQueue.open(address)
        try keep(queue.descriptor)
    }

    func put(_ bytes: [UInt8]) throws { try queue!.send(bytes.span) }
    func putUrgent(_ bytes: [UInt8]) throws { try queue!.send(bytes.span, priority: PosixMessageQueue.highestPriority) }
    func get() throws -> [UInt8]? { try tryReceiving(queue!) }

    func lasts() throws -> String {
        try put([1])
        queue = nil
        queue = try PosixMessageQueue.open(name)
        return try get() == [1] ? "until removed, or the machine's end" : "as long as somebody has it"
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        other.kill()
        let seen = reading(try get())
        return try errorName { try put([1]) } == nil ? seen : "?"
    }
}
