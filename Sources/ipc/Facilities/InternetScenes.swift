import InterprocessSystem
import SystemPackage

/// What is at an address of the internet: nothing is left when its last owner has closed it, and descriptors are not carried but dropped.
private func lastsUntilClosed(_ connects: () throws -> Void) throws -> String {
    try errorName(connects) == "ECONNREFUSED" ? "as long as somebody has it" : "until removed"
}

/// Sends a descriptor from one socket to another, which the kernel takes and drops where they are no unix sockets.
private func arrivingDescriptors(from near: FileDescriptor, to far: FileDescriptor) throws -> String {
    let sender = UnixStream(owning: try near.duplicate()), receiver = UnixStream(owning: try far.duplicate())
    _ = try sender.send([1], with: [near])
    var byte: [UInt8] = [0]
    var span = byte.mutableSpan
    var came = ReceivedDescriptors()
    _ = try receiver.receive(into: &span, with: &came)
    return came.count == 0 ? "no" : "yes"
}

final class TcpScene: CarryingScene {
    private let place: InternetAddress
    private var listener: TcpListener?
    private var near: TcpStream?
    private var far: TcpStream?

    init(in _: ScenePlace, forEverybody: Bool) throws {
        listener = try TcpListener.create(at: InternetAddress(.loopback(), port: 0))
        place = try listener!.localAddress()
        near = try TcpStream.connect(to: place)
        far = try listener!.accept()
    }

    var address: SceneAddress { .internet(place) }
    var descriptor: FileDescriptor? { near?.descriptor }
    static func join(_ address: String) throws { try keep(TcpStream.connect(to: internetAddress(address))) }

    func put(_ bytes: [UInt8]) throws { try near!.write(bytes.span) }
    /// What was written comes a moment later.
    func get() throws -> [UInt8]? { try read(far!) }
    private func read(_ stream: borrowing TcpStream) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 64)
        var span = bytes.mutableSpan
        let count = try stream.read(into: &span, until: .after(.seconds(10)))
        return Array(bytes[..<count])
    }

    /// Two writes may come one after the other, or together.
    private func get(_ count: Int) throws -> [UInt8] {
        var found: [UInt8] = []
        while found.count < count { found += try get() ?? [] }
        return found
    }

    func boundaries() throws -> String {
        try put([1, 2, 3])
        try put([4, 5])
        return try get(5) == [1, 2, 3, 4, 5] ? "byte stream" : "?"
    }

    func order() throws -> String {
        try put([1])
        try put([2])
        return try get(2) == [1, 2] ? "as sent" : "?"
    }

    func lasts() throws -> String {
        near = nil
        far = nil
        listener = nil
        return try lastsUntilClosed { _ = try TcpStream.connect(to: place) }
    }

    func descriptors() throws -> String {
        let (near, far) = (near?.descriptor, far?.descriptor)
        return try arrivingDescriptors(from: near!, to: far!)
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        let stream = try listener!.accept()
        other.kill()
        let seen = reading(try read(stream))
        let first = try failure(stream) { try $0.write([1].span) }
        // The answer to the first comes a moment later.
        let deadline = MonotonicInstant.after(.seconds(10))
        var later: String?
        while later == nil, MonotonicInstant.now < deadline { later = try failure(stream) { try $0.write([1].span) } }
        let careless = try ScenePeer(row, address)
        let unread = try listener!.accept()
        try unread.write([1].span)
        careless.kill()
        let lost = try failure(unread) { _ = try read($0) } ?? "the end"
        return
            "reader: \(seen), \(lost) if it had left something unread; writer: \(first ?? later ?? "goes on")\(first == nil && later != nil ? ", not at once" : "")"
    }

    private func failure(_ stream: borrowing TcpStream, _ call: (borrowing TcpStream) throws -> Void) throws -> String? {
        do {
            try call(stream)
            return nil
        } catch {
            return try errorName(error)
        }
    }
}

final class UdpScene: CarryingScene {
    private let place: InternetAddress
    private var receiver: UdpSocket?
    private let sender: UdpSocket

    init(in _: ScenePlace, forEverybody: Bool) throws {
        receiver = try UdpSocket.create(at: InternetAddress(.loopback(), port: 0))
        place = try receiver!.localAddress()
        sender = try UdpSocket.connect(to: place)
    }

    var address: SceneAddress { .internet(place) }
    var descriptor: FileDescriptor? { receiver?.descriptor }
    static func join(_ address: String) throws { try keep(UdpSocket.connect(to: internetAddress(address))) }

    func put(_ bytes: [UInt8]) throws { try sender.send(bytes.span) }
    func get() throws -> [UInt8]? { try tryReceiving(receiver!) }

    /// That nobody receives there any more is told with the message after the one that found it out.
    private func sending() throws -> String {
        let first = try errorName { try put([1]) }
        let second = try errorName { try put([1]) }
        return first ?? second.map { "\($0), with the next message" } ?? "goes on"
    }

    func lasts() throws -> String {
        receiver = nil
        return try sending().hasPrefix("ECONNREFUSED") ? "as long as somebody has it" : "until removed"
    }

    func descriptors() throws -> String {
        try arrivingDescriptors(from: sender.descriptor, to: descriptor!)
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        other.kill()
        let seen = reading(try get())
        let given = descriptor!
        let last = try ScenePeer(row, address, giving: [given])
        receiver = nil
        last.kill()
        return "receiver: \(seen); sender: \(try sending())"
    }
}

private func internetAddress(_ text: String) throws -> InternetAddress {
    guard let address = InternetAddress(text) else { throw Unexpected("'\(text)' is no address") }
    return address
}

/// Keeps a socket open until the process ends.
private func keep<S: Socket & ~Copyable>(_ socket: consuming S) throws { _ = socket.release() }
