import InterprocessSystem
import SystemPackage

/// Up to so many bytes of what is there.
func tryReading<R: ByteReading & ~Copyable>(_ end: borrowing R, _ count: Int = 64) throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    return try end.tryRead(into: &span).map { Array(bytes[..<$0]) }
}

/// What one end of a stream says when the process that had the other was killed.
func reading(_ found: [UInt8]?) -> String { found == nil ? "nothing to be seen" : found == [] ? "the end" : "bytes" }

/// The two ends of a pipe.
private struct Ends: ~Copyable {
    var reader: PipeReader?
    var writer: PipeWriter?
}

final class PipeScene: CarryingScene {
    private var ends: Ends

    init(in place: ScenePlace, forEverybody: Bool) throws {
        let pipe = try Pipe().release()
        ends = Ends(reader: PipeReader(owning: pipe.reading), writer: PipeWriter(owning: pipe.writing))
    }

    private var descriptorsOfEnds: [FileDescriptor] {
        [ends.reader?.descriptor, ends.writer?.descriptor].compactMap { $0 }
    }
    var address: SceneAddress { .passed(descriptorsOfEnds) }
    var descriptor: FileDescriptor? { ends.reader?.descriptor }

    func put(_ bytes: [UInt8]) throws { try ends.writer!.write(bytes.span) }
    func get() throws -> [UInt8]? { try tryReading(ends.reader!) }

    /// Nobody finds it but by the descriptors.
    func lasts() throws -> String { address.text.isEmpty ? "as long as somebody has it" : "?" }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, .passed([ends.writer?.descriptor].compactMap { $0 }))
        ends.writer = nil
        other.kill()
        let seen = reading(try get())
        let second = try PipeScene(in: place, forEverybody: false)
        let reader = try ScenePeer(row, .passed([second.ends.reader?.descriptor].compactMap { $0 }))
        second.ends.reader = nil
        reader.kill()
        return "reader: \(seen); writer: \(try errorName { try second.put([1]) } ?? "goes on")"
    }
}

final class FifoScene: CarryingScene {
    private let fifo: Fifo
    private var ends: Ends

    init(in place: ScenePlace, forEverybody: Bool) throws {
        fifo = try Fifo.create(at: place.path("fifo"), permissions: forEverybody ? everybody : .ownerReadWrite)
        let reader = try fifo.openReaderAtOnce()
        ends = Ends(reader: reader, writer: try fifo.openWriter())
    }

    var address: SceneAddress { .path(fifo.path) }
    var descriptor: FileDescriptor? { ends.reader?.descriptor }

    static func join(_ address: String) throws {
        guard let writer = try Fifo.open(at: FilePath(address)).tryOpenWriter() else { throw Unexpected("nobody reads") }
        _ = writer.release()
    }

    func put(_ bytes: [UInt8]) throws { try ends.writer!.write(bytes.span) }
    func get() throws -> [UInt8]? { try tryReading(ends.reader!) }

    func lasts() throws -> String {
        try put([1])
        ends = Ends(reader: nil, writer: nil)
        // What was written has gone with the last who had it open.
        let isThere = try tryReading(try Fifo.open(at: fifo.path).openReaderAtOnce()) == [1]
        return isThere ? "until removed" : "as long as somebody has it; the path until removed"
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        ends.writer = nil
        other.kill()
        let seen = reading(try get())
        ends.writer = try fifo.openWriter()
        ends.reader = nil
        return "reader: \(seen); writer: \(try errorName { try put([1]) } ?? "goes on")"
    }
}

/// What everybody may read and write.
let everybody = FilePermissions(rawValue: 0o666)

/// A unix socket's path; its permissions are what the process's mask leaves.
func socketAddress(_ place: ScenePlace, _ name: String) -> UnixAddress { .path(place.path(name)) }

/// What unix sockets that connect have in common.
class ConnectionScene<Socket: UnixSocket & ~Copyable> {
    let path: UnixAddress
    var listener: UnixListener<Socket>?
    var near: Socket?
    var far: Socket?

    init(in place: ScenePlace, forEverybody: Bool) throws {
        path = socketAddress(place, "socket")
        listener = try UnixListener<Socket>.create(at: path)
        near = try Socket.connect(to: path)
        far = try listener!.accept()
    }

    var address: SceneAddress { if case .path(let path) = path { .path(path) } else { .name(path.description) } }
    var descriptor: FileDescriptor? { near?.descriptor }

    class func connect(_ address: String) throws {
        let socket: Socket = try Socket.connect(to: .path(FilePath(address)))
        try keep(socket.descriptor)
    }

    func nameStays() throws -> String {
        near = nil
        far = nil
        listener = nil
        guard case .path(let path) = path else { return "?" }
        let stays = try Directory(opening: path.removingLastComponent()).status(of: path.lastComponent!.string) != nil
        return try answers(path) ? "until removed" : "as long as somebody has it" + (stays ? "; the path until removed" : "")
    }

    /// Of a connection: the other process comes, and is killed; with nothing unread, and with something.
    func deathOfConnection(_ row: FacilityRow, read: (borrowing Socket) throws -> [UInt8]?, write: (borrowing Socket) throws -> Void) throws
        -> String
    {
        let other = try ScenePeer(row, address)
        let socket = try listener!.accept()
        other.kill()
        let seen = reading(try read(socket))
        let fails = try failure(socket, write) ?? "goes on"
        let careless = try ScenePeer(row, address)
        let unread = try listener!.accept()
        try write(unread)
        careless.kill()
        let lost = try failure(unread) { socket in _ = try read(socket) } ?? "the end"
        return "reader: \(seen), \(lost) if it had left something unread; writer: \(fails)"
    }

    private func answers(_ path: FilePath) throws -> Bool {
        do {
            _ = try Socket.connect(to: .path(path))
            return true
        } catch {
            return try errorName(error).isEmpty
        }
    }

    private func failure(_ socket: borrowing Socket, _ call: (borrowing Socket) throws -> Void) throws -> String? {
        do {
            try call(socket)
            return nil
        } catch {
            return try errorName(error)
        }
    }

    /// A descriptor goes from one end to the other.
    func passDescriptor() throws -> String {
        let passed = descriptor!
        _ = try near!.send([1], with: [passed])
        var bytes: [UInt8] = [0]
        var span = bytes.mutableSpan
        var came = ReceivedDescriptors()
        _ = try far!.receive(into: &span, with: &came)
        return came.count == 1 ? "yes" : "no"
    }
}

/// Keeps a descriptor open until the process ends.
func keep(_ descriptor: FileDescriptor) throws { _ = try descriptor.duplicate() }

final class UnixStreamScene: ConnectionScene<UnixStream>, CarryingScene {
    required override init(in place: ScenePlace, forEverybody: Bool) throws { try super.init(in: place, forEverybody: forEverybody) }
    static func join(_ address: String) throws { try connect(address) }
    func put(_ bytes: [UInt8]) throws { try near!.write(bytes.span) }
    func get() throws -> [UInt8]? { try tryReading(far!) }
    func lasts() throws -> String { try nameStays() }
    func descriptors() throws -> String { try passDescriptor() }
    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        try deathOfConnection(row, read: { try tryReading($0) }, write: { try $0.write([1].span) })
    }
}
