extension Role {
    static func sender(_ words: QueueWords) -> Role { Role(words.senderSide, words.receiverSide, .sender) }

    static func receiver(_ words: QueueWords) -> Role { Role(words.receiverSide, words.senderSide, .receiver) }
}

extension ObjectRecovery {
    /// What a queue does for a dead peer: its roles end.
    static let queue = ObjectRecovery(
        claims: { mapping, peer in
            let words = QueueWords(mapping)
            return [Role.sender(words), .receiver(words)].reduce(into: []) { claims, role in
                // Ended by death already: the other side found it before the keeper did.
                let role = (word: role.current, claim: role.claim)
                if role.word.peer == peer, role.word.ending != .closed { claims.insert(role.claim) }
            }
        },
        recover: { mapping, peer in
            let words = QueueWords(mapping)
            Role.sender(words).recover(peer)
            Role.receiver(words).recover(peer)
        })
}
