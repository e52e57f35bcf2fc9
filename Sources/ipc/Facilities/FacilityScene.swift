import InterprocessSystem
import SystemPackage

/// An object of a facility, made to see what the table says of it.
///
/// What a method sees it returns as the words that the cell must have.
protocol FacilityScene: AnyObject, SendableMetatype {
    /// Makes an object: for this user alone, or for everybody.
    init(in place: ScenePlace, forEverybody: Bool) throws
    var address: SceneAddress { get }
    /// The descriptor by which this process has it; nil if by none.
    var descriptor: FileDescriptor? { get }
    /// What it is had by, if by no descriptor.
    var otherHandle: String { get }
    /// In another process: finds the object of `address`, or takes what it was given at descriptor 3 and up, and uses it. It has it then until it is killed.
    static func join(_ address: String) throws

    func access(in place: ScenePlace, _ row: FacilityRow) throws -> String
    func lasts() throws -> String
    func boundaries() throws -> String
    func order() throws -> String
    func descriptors() throws -> String
    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String
}

/// How another process comes to an object.
enum SceneAddress {
    /// It is given these, at descriptor 3 and up.
    case passed([FileDescriptor])
    case path(FilePath)
    /// In a table of the kernel.
    case name(String)
    /// The kernel's own.
    case number(Int32)
    case process(Int32)
    case internet(InternetAddress)
    /// A place in memory that is shared by way of a file.
    case memory(FilePath)

    var text: String {
        switch self {
        case .passed: ""
        case .path(let path), .memory(let path): path.string
        case .internet(let address): "\(address)"
        case .name(let name): name
        case .number(let number), .process(let number): "\(number)"
        }
    }

    var passed: [FileDescriptor] { if case .passed(let descriptors) = self { descriptors } else { [] } }

    /// The cell, once another process has come to it so.
    var identification: String {
        switch self {
        case .passed: "nothing: inherited or passed"
        case .path: "path"
        case .name: "/name"
        case .number: "key, or its number"
        case .process: "process id"
        case .internet: "address and port"
        case .memory: "its place in shared memory"
        }
    }
}

/// Where a scene's objects have their names.
struct ScenePlace {
    let directory: FilePath
    /// How many names were made.
    private static let last = Lock(0)

    /// A path that nothing stands at yet.
    func path(_ name: String) -> FilePath {
        let number = Self.last.withLock { last in
            last += 1
            return last
        }
        return directory.appending("\(name)-\(number)")
    }

    /// A name for the kernel's own tables.
    func name(_ name: String) -> String {
        "ipc-facilities-\(directory.lastComponent?.string ?? "")-\(path(name).lastComponent?.string ?? "")"
    }
}

/// Something that the kernel did and that no cell has a word for.
struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A cell that this user, or this kernel, cannot show.
struct NotShown: Error, CustomStringConvertible {
    let description: String
}

extension FacilityScene {
    var otherHandle: String { "none" }
    static func join(_ address: String) throws {}

    /// Who may join: another user when the object is this user's alone, and when it is everybody's.
    func access(in place: ScenePlace, _ row: FacilityRow) throws -> String { try accessByUser(in: place, row) }

    func accessByUser(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        if case .passed = address { return "who was given it" }
        guard ProcessIdentity.current().userID == 0 else { throw NotShown(description: "only root can become another user") }
        let own = try withFileCreationMask(0o077) { try Self(in: place, forEverybody: false) }
        let everybodys = try withFileCreationMask(0) { try Self(in: place, forEverybody: true) }
        let isRefused = try !ScenePeer(row, own.address, asAnotherUser: true).hasJoined
        let isAdmitted = try ScenePeer(row, everybodys.address, asAnotherUser: true).hasJoined
        return switch (isRefused, isAdmitted) {
        case (true, true): "permissions"
        case (true, false): "the same user"
        case (false, _): "anybody"
        }
    }

    func boundaries() throws -> String { "carries nothing" }
    func order() throws -> String { "none" }
    func isPollable() throws -> String { try descriptor.map { try $0.isPollable() } ?? false ? "yes" : "no" }

    /// Whatever is no socket refuses them.
    func descriptors() throws -> String {
        guard let descriptor else { return "no" }
        return try isRefused(descriptor, by: UnixStream(owning: try descriptor.duplicate())) ? "no" : "yes"
    }

    private func isRefused(_ descriptor: FileDescriptor, by socket: borrowing UnixStream) throws -> Bool {
        do throws(FacilityError) {
            _ = try socket.send([1], with: [descriptor])
            return false
        } catch let error where error.errno == .notSocket {
            return true
        }
    }

    /// What stands in a column.
    func cell(_ column: FacilityColumn, in place: ScenePlace, _ row: FacilityRow) throws -> String {
        switch column {
        case .identifiedBy:
            guard try ScenePeer(row, address).hasJoined else { throw Unexpected("another process did not come to it") }
            return address.identification
        case .handle: return descriptor == nil ? otherHandle : "descriptor"
        case .access: return try access(in: place, row)
        case .lasts: return try lasts()
        case .boundaries: return try boundaries()
        case .order: return try order()
        case .pollable: return try isPollable()
        case .descriptors: return try descriptors()
        case .death: return try death(in: place, row)
        }
    }
}

extension UnixSocket where Self: ~Copyable {
    /// With bytes of an array.
    func send(_ bytes: [UInt8], with descriptors: [FileDescriptor]) throws(FacilityError) -> Int { try send(bytes.span, with: descriptors) }
}

/// A scene of something that carries bytes.
protocol CarryingScene: FacilityScene {
    func put(_ bytes: [UInt8]) throws
    /// Something that should overtake what is there, where there is such a thing.
    func putUrgent(_ bytes: [UInt8]) throws
    /// Waits for nothing: nil. Empty: the end.
    func get() throws -> [UInt8]?
    /// What it is called by which `putUrgent` overtakes.
    static var overtaking: String { get }
}

extension CarryingScene {
    static var overtaking: String { "by priority" }
    func putUrgent(_ bytes: [UInt8]) throws { try put(bytes) }

    func boundaries() throws -> String {
        try put([1, 2, 3])
        try put([4, 5])
        let first = try get()
        switch first {
        case [1, 2, 3, 4, 5]: return "byte stream"
        case [1, 2, 3]: return try get() == [4, 5] ? "messages" : "?"
        default: throw Unexpected("got \(first.map { "\($0)" } ?? "nothing")")
        }
    }

    func order() throws -> String {
        try put([1])
        try putUrgent([2])
        let found = (try get() ?? []) + (try get() ?? [])
        switch found {
        case [1, 2]: return "as sent"
        case [2, 1]: return Self.overtaking
        default: throw Unexpected("got \(found)")
        }
    }
}

/// What a call says of the other side: "EPIPE", or nothing.
func errorName(_ body: () throws -> Void) throws -> String? {
    do {
        try body()
        return nil
    } catch {
        return try errorName(error)
    }
}

/// What an error says of the other side. Any other is thrown.
func errorName(_ error: any Error) throws -> String {
    switch (error as? FacilityError)?.errno {
    case .brokenPipe: return "EPIPE"
    case .connectionReset: return "ECONNRESET"
    case .connectionRefused: return "ECONNREFUSED"
    case .socketNotConnected: return "ENOTCONN"
    case .ioError: return "EIO"
    default: throw error
    }
}
