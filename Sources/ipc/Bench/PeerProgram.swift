import InterprocessSystem
import SystemPackage

/// A rival that is not part of the package, since it needs what not everybody has: a program that is built by `Benchmarks/Peers/build` and
/// plays the sides of cases like a worker of this program's. It is started with what it has to do, its side, the turns and the area's offset.
struct PeerProgram: Sendable {
    /// Of the rival, for people.
    let name: String
    /// Nil if it was not built.
    let path: FilePath?

    static let boostLocks = PeerProgram("Boost.Interprocess", "boost-locks")
    static let boostAllocate = PeerProgram("Boost.Interprocess", "boost-allocate")
    static let mimalloc = PeerProgram("mimalloc", "mimalloc-allocate")
    static let boost = PeerProgram("Boost.Interprocess", "boost-messages")
    static let zeroMQ = PeerProgram("ZeroMQ", "zeromq-messages")
    static let nng = PeerProgram("nng", "nng-messages")
    static let iceoryx = PeerProgram("iceoryx", "iceoryx-messages")
    static let openMPI = PeerProgram("OpenMPI", "openmpi-messages")

    /// What is said where some of `programs` were not built; nil if none is missing.
    static func missing(_ programs: [PeerProgram]) -> String? {
        let names = programs.filter { $0.path == nil }.map(\.name)
        guard !names.isEmpty else { return nil }
        return "not built, so left out: \(names.joined(separator: ", ")); Benchmarks/Peers/build installs what they need and builds them"
    }

    /// Beside this program or above it, in the folder that the script builds into: `.build/benchmark-peers`.
    private init(_ name: String, _ program: String) {
        self.name = name
        path = Self.find(program)
    }

    private static func find(_ program: String) -> FilePath? {
        guard var folder = ProcessIdentity.currentProgramPath?.removingLastComponent() else { return nil }
        while folder.lastComponent != nil {
            let path = folder.appending("benchmark-peers").appending(program)
            if let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) {
                try? file.close()
                return path
            }
            folder.removeLastComponent()
        }
        return nil
    }
}

extension Contender {
    /// Sides that are a program of their own.
    ///
    /// - Parameter operation: what the program is to do.
    init(name: String, program: PeerProgram, operation: String, sides: Int) {
        let body: Body = { _ in throw BenchmarkError("this case runs in the program of \(program.name) only") }
        self.init(name: name, near: body, far: sides > 1 ? body : nil)
        self.program = program
        self.operation = operation
        isOptional = true
    }
}
