import InterprocessSystem
import SystemPackage

/// Another process that joins a scene's object and has it until it is killed.
final class ScenePeer {
    private var child: ChildProcess
    /// Whether it came to the object.
    let hasJoined: Bool
    /// Why not.
    let refusal: String

    init(_ row: FacilityRow, _ address: SceneAddress, giving more: [FileDescriptor] = [], asAnotherUser: Bool = false) throws {
        let pipe = try Pipe()
        let given = (address.passed + more).enumerated().map { ($0.element, CInt(3 + $0.offset)) }
        child = try ChildProcess(
            starting: ChildProcess.currentProgram,
            arguments: ["facility-peer", row.name, address.text] + (asAnotherUser ? ["--as-another-user"] : []),
            descriptors: [(pipe.writing.descriptor, 1)] + given)
        let ends = pipe.release()
        try ends.writing.close()
        let said = try Self.line(PipeReader(owning: ends.reading))
        hasJoined = said == FacilityPeer.joined
        refusal = said
        if !hasJoined { _ = try child.wait() }
    }

    deinit { kill() }

    /// What it says first, or what there is when it ends.
    private static func line(_ reader: borrowing PipeReader) throws -> String {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 512)
        let deadline = MonotonicInstant.after(.seconds(30))
        while text.last != UInt8(ascii: "\n") {
            var span = buffer.mutableSpan
            let count = try reader.read(into: &span, until: deadline)
            if count == 0 { break }
            text += buffer[..<count]
        }
        return String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// Kills it by SIGKILL, and waits until it has ended.
    func kill() {
        child.send(signal: Signal.kill)
        _ = try? child.wait()
    }

    var pid: Int32 { child.pid }
}

/// Keeps a value until the process ends.
func hold<Value: ~Copyable>(_ value: consuming Value) { _ = unsafe Unmanaged.passRetained(Held(value)) }

private final class Held<Value: ~Copyable> {
    let value: Value
    init(_ value: consuming Value) { self.value = value }
}
