import InterprocessSystem
import SystemPackage

/// A pseudoterminal; the other process is the program on it, or the one that plays the person.
final class PseudoterminalScene: CarryingScene {
    private var person: Pseudoterminal?
    private var program: Terminal?
    private let path: FilePath

    init(in place: ScenePlace, forEverybody: Bool) throws {
        person = try Pseudoterminal.create()
        path = try person!.path()
        let terminal = try person!.openTerminal()
        try terminal.descriptor.setPermissions(forEverybody ? everybody : .ownerReadWrite)
        program = consume terminal
    }

    var address: SceneAddress { .path(path) }
    var descriptor: FileDescriptor? { person?.descriptor }

    static func join(_ address: String) throws {
        // Who was given the other side has it at 3.
        if !address.isEmpty { _ = try Terminal.open(at: FilePath(address)).release() }
    }

    func put(_ bytes: [UInt8]) throws { try person!.write(bytes.span) }
    func get() throws -> [UInt8]? { try tryReading(program!) }

    func boundaries() throws -> String {
        try put(Array("a\nb\n".utf8))
        let line = try get(), next = try get()
        guard line == Array("a\n".utf8), next == Array("b\n".utf8) else { throw Unexpected("lines were not kept apart") }
        try program!.makeRaw()
        try put([1, 2, 3])
        try put([4, 5])
        return try get() == [1, 2, 3, 4, 5] ? "lines, or byte stream" : "?"
    }

    func order() throws -> String {
        try program!.makeRaw()
        try put([1])
        try put([2])
        return try get() == [1, 2] ? "as sent" : "?"
    }

    func lasts() throws -> String {
        person = nil
        program = nil
        let isThere = try Directory(opening: path.removingLastComponent()).status(of: path.lastComponent!.string) != nil
        return isThere ? "until removed" : "as long as somebody has it"
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        program = nil
        other.kill()
        let seen = reading(try tryReading(person!))
        let writes = try errorName { try put([1]) } ?? "goes on"
        let second = try PseudoterminalScene(in: place, forEverybody: false)
        let player = try ScenePeer(row, .passed([second.person?.descriptor].compactMap { $0 }))
        second.person = nil
        player.kill()
        let hungUp = reading(try second.get())
        let prints = try errorName { try second.program!.write([1].span) } ?? "goes on"
        return "of the program: the reader sees \(seen), the writer \(writes); of the other side: \(hungUp), \(prints)"
    }
}
