import Interprocess

/// The exit statuses of `ipc send` and `ipc receive`, and the words that go with them.
enum TransferStatus {
    static let failed: Int32 = 1
    static let peerDied: Int32 = 3
    static let timeout: Int32 = 4
    static let peerClosed: Int32 = 5

    /// The part of the help that both commands share.
    static let help = """
        Exit statuses:
          0    all was sent and received (send --no-wait: all is in the queue)
          1    the queue could not be opened, or the input read, or the output written
          3    the other side died: killed, or a sender that could not finish
          4    nothing moved for as long as --timeout says
          5    the receiver ended before the input, or before all was received
          64   the arguments are wrong
          130  Ctrl-C (128 + the signal's number, as shells have it)
        """

    /// "ipc, pid 123".
    static func describe(_ notice: DeathNotice) -> String {
        notice.pid == 0 ? "unknown process" : "\(notice.program.isEmpty ? "unknown program" : notice.program), pid \(notice.pid)"
    }

    static func describe(_ duration: Duration) -> String {
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        var text = formatted(seconds, digits: 3)
        while text.hasSuffix("0") { text.removeLast() }
        return "\(text.hasSuffix(".") ? String(text.dropLast()) : text) s"
    }
}

extension ReceiveError {
    /// As the end of `ipc receive`, after so many bytes.
    func failure(after bytes: Int, timeout: Duration?) -> CommandFailure {
        let received = bytes == 0 ? "nothing" : byteCount(bytes)
        return switch self {
        case .peerDied(let notice):
            CommandFailure(
                "the sender (\(TransferStatus.describe(notice))) died; \(received) had been received", status: TransferStatus.peerDied)
        case .deadline:
            CommandFailure(
                "nothing came for \(TransferStatus.describe(timeout ?? .zero)); \(received) had been received",
                status: TransferStatus.timeout)
        default: CommandFailure("\(self); \(received) had been received", status: TransferStatus.failed)
        }
    }
}

extension SendFailure {
    /// As the end of `ipc send`.
    ///
    /// - Parameter progress: how far it had come, in words.
    func failure(_ progress: String, timeout: Duration?) -> CommandFailure {
        switch self {
        case .peerDied(let notice):
            return CommandFailure("the receiver (\(TransferStatus.describe(notice))) died; \(progress)", status: TransferStatus.peerDied)
        case .closed: return CommandFailure("the receiver has closed the queue; \(progress)", status: TransferStatus.peerClosed)
        case .deadline, .full:
            return CommandFailure(
                "nothing was received for \(TransferStatus.describe(timeout ?? .zero)); \(progress)", status: TransferStatus.timeout)
        default: return CommandFailure("\(SendError(self, ())); \(progress)", status: TransferStatus.failed)
        }
    }
}
