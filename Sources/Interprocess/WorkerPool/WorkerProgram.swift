import InterprocessSystem
import SystemPackage

/// The variables by which a worker is told what it is.
enum WorkerVariable {
    static let queue = "INTERPROCESS_WORKER_QUEUE"
    static let directory = "INTERPROCESS_WORKER_DIRECTORY"
    /// `user` or `anyone`: whose objects the directory may hold.
    static let owners = "INTERPROCESS_WORKER_OWNERS"
    static let number = "INTERPROCESS_WORKER_NUMBER"
    /// The number of a descriptor at whose end of file the worker is to stop.
    static let lifeline = "INTERPROCESS_WORKER_LIFELINE"
}

/// What a pool starts, again and again.
struct WorkerProgram: Sendable {
    let path: FilePath
    let arguments: [String]
    let environment: [String: String]
    let queue: ObjectName
    let directory: ObjectDirectory

    private static let lifelineNumber: Int32 = 3

    func start(_ number: Int, _ lifeline: Lifeline) throws(Errno) -> ChildProcess {
        var variables = environment
        variables[WorkerVariable.queue] = queue.description
        variables[WorkerVariable.directory] = directory.path.string
        variables[WorkerVariable.owners] = directory.owners == .user ? "user" : "anyone"
        variables[WorkerVariable.number] = "\(number)"
        variables[WorkerVariable.lifeline] = "\(Self.lifelineNumber)"
        return try ChildProcess(
            starting: path, arguments: arguments, descriptors: [(lifeline.reading, Self.lifelineNumber)], environment: variables)
    }
}

/// A pipe into which nobody writes: its end of file tells all who hold the reading end that the pool is over, also if its process was killed.
final class Lifeline: Sendable {
    private let ends: (reading: FileDescriptor, writing: FileDescriptor)
    private let isOver = Lock(false)

    init() throws(Errno) {
        do throws(FacilityError) { ends = try Pipe().release() } catch { throw error.errno }
    }

    deinit {
        end()
        try? ends.reading.close()
    }

    var reading: FileDescriptor { ends.reading }

    /// Tells all who hold the reading end.
    func end() {
        isOver.withLock { isOver in
            if !isOver { try? ends.writing.close() }
            isOver = true
        }
    }
}
