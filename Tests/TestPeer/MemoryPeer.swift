import Glibc
import InterprocessSystem
import SystemPackage

let memoryCommands: [String: Command] = [
    "touch-mapped": touchMapped, "fork-memory": { _ in try forkMemory() }, "take-semaphore": takeSemaphore,
    "secret": { _ in try keepSecret() },
]

/// touch-mapped PATH OFFSET: maps the file, says the byte at the offset, and again for each line.
@Sendable private func touchMapped(_ arguments: [String]) throws {
    let file = try FileDescriptor.open(FilePath(arguments[0]), .readWrite)
    let mapped = try MappedFile(file)
    let offset = try arguments.number(1)
    func touch() -> UInt8 { unsafe mapped.withUnsafeBytes { unsafe $0[offset] } }
    say("\(touch())")
    try forEachLine { _ in say("\(touch())") }
}

/// fork-memory: says what this process and its child, which kills itself, have stored in the same memory, and the address; and again for each line.
private func forkMemory() throws {
    let memory = try AnonymousMemory(byteCount: 4096)
    func put(_ text: String, at offset: Int) {
        unsafe memory.withUnsafeMutableBytes { unsafe $0[offset..<offset + text.utf8.count].copyBytes(from: Array(text.utf8)) }
    }
    func found() -> String { unsafe memory.withUnsafeBytes { unsafe String(decoding: $0[..<12], as: UTF8.self) } }
    put("parent", at: 0)
    let child = try forkChild {
        put(found().hasPrefix("parent") ? "-child" : "-wrong", at: 6)
        kill(getpid(), SIGKILL)
    }
    var status: CInt = 0
    guard unsafe waitpid(child, &status, 0) == child else { throw BadArguments() }
    say("\(found()) \(unsafe memory.withUnsafeBytes { UInt(bitPattern: $0.baseAddress!) })")
    try forEachLine { _ in say(found()) }
}

/// take-semaphore NAME: takes a unit, says "took", and waits to be killed.
@Sendable private func takeSemaphore(_ arguments: [String]) throws {
    try PosixSemaphore.open(arguments[0]).wait()
    say("took")
    while true { pause() }
}

/// secret: says where 8192 bytes of "s" stand, of which nothing is mapped behind; and for each line what the first of them are.
private func keepSecret() throws {
    let file = try MemoryFile.make(named: "secret", size: 8192)
    let around = try unsafe MemoryMapping(reserving: 4 * 4096)
    try unsafe around.mapShared(file.descriptor, from: 0, at: 4096, size: 8192)
    let secret = unsafe UnsafeMutableRawBufferPointer(start: around.base + 4096, count: 8192)
    unsafe secret.initializeMemory(as: UInt8.self, repeating: UInt8(ascii: "s"))
    say("\(UInt(bitPattern: secret.baseAddress!))")
    try forEachLine { _ in say(unsafe String(decoding: secret[..<8], as: UTF8.self)) }
}
