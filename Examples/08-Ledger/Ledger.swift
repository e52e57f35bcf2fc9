import Interprocess
import InterprocessSystem
import SystemPackage

/// A lock that survives `kill -9`: a program is killed with the lock in its hands and half of a change made; the next one is let in at once, is told, and puts it right.
///
///     swift run Ledger stop &           # takes money from one account, and stops before it gives it to the other
///     swift run Ledger transfer 100 &   # waits for the lock
///     kill -9 %1                        # … and goes on
///     swift run Ledger remove
@main
struct Ledger {
    static let name: ObjectName = "example-ledger"

    /// Together they have 1,000, whenever nobody is at it.
    struct Accounts: Shareable {
        var left = 1000
        var right = 0
    }

    static func main() {
        do {
            try run()
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("\(error)\n".utf8)
            endProcessAtOnce(status: 1)
        }
    }

    static func run() throws {
        if CommandLine.arguments.dropFirst().elementsEqual(["remove"]) {
            try ObjectDirectory.user.remove(name)
            return
        }
        // It stays when nobody has it open.
        let options = SynchronizationOptions(lifetime: .untilRemoved)
        let accounts = try SharedMutex<Accounts>(named: name, initial: Accounts(), options: options)
        switch (CommandLine.arguments.dropFirst().first, CommandLine.arguments.dropFirst(2).first.flatMap { Int($0) }) {
        case ("transfer", let amount?): try transfer(amount, in: accounts)
        case ("stop", nil): try stopInTheMiddle(of: accounts)
        default: print("usage: Ledger transfer AMOUNT | stop | remove")
        }
    }

    static func transfer(_ amount: Int, in accounts: SharedMutex<Accounts>) throws {
        func move() throws {
            try accounts.withLock { accounts in
                accounts.left -= amount
                accounts.right += amount
                print("left \(accounts.left), right \(accounts.right)")
            }
        }
        do {
            try move()
        } catch LockError.inconsistent(let death) {
            print("\(death); putting it right")
            // Another may have been quicker: then nothing is to be done.
            _ = try accounts.repair { accounts, _ in accounts.right = 1000 - accounts.left }
            try move()
        }
    }

    static func stopInTheMiddle(of accounts: SharedMutex<Accounts>) throws {
        try accounts.withLock { accounts in
            accounts.left -= 50
            _ = try FileDescriptor.standardOutput.writeAll("has the lock, and has made half of a change; kill it\n".utf8)
            // To be killed here.
            sleepThread(for: .seconds(600))
            accounts.right += 50
        }
    }
}
