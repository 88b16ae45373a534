package main

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towline.lab/parts"
)

const (
	defaultPromotePeriod = 15 * time.Second // k3s: manageTickerTime
	promoteEnvironment   = "K3S_STANDIN_PROMOTE_SECONDS"
	promoteFile          = "/etc/k3s-standin/promote-seconds"
	promoteFileLook      = 500 * time.Millisecond // between two looks at the file, at most
	learnerMaxStall      = 5 * time.Minute        // k3s: learnerMaxStallTime
	memberRemovalTimeout = time.Minute
)

// promotePeriod is how often the leader looks for learners to promote.
func promotePeriod() time.Duration {
	text := os.Getenv(promoteEnvironment)
	if text == "" {
		content, _ := os.ReadFile(promoteFile)
		text = strings.TrimSpace(string(content))
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds > 0 {
		return time.Duration(seconds * float64(time.Second))
	}
	return defaultPromotePeriod
}

func (d *database) isLeader() bool {
	return d.etcd.Server.Leader() != 0 && d.etcd.Server.Leader() == d.etcd.Server.MemberID()
}

// promoteLearners runs on every server and acts on the leader's.
func (d *database) promoteLearners(ctx context.Context) {
	firstSeen := map[uint64]time.Time{}
	period, last := promotePeriod(), time.Now()
	for parts.Pause(ctx, min(promoteFileLook, period)) {
		if now := promotePeriod(); now != period {
			period, last = now, time.Now()
		}
		if time.Since(last) < period {
			continue
		}
		last = time.Now()
		if !d.isLeader() {
			clear(firstSeen)
			continue
		}
		members, err := d.members(ctx)
		if err != nil {
			continue
		}
		for _, member := range members {
			if !member.IsLearner {
				continue
			}
			if d.server.nodes != nil {
				d.server.nodes.learnerSeen(ctx, member.Name)
			}
			short, cancel := context.WithTimeout(ctx, 5*time.Second)
			_, err := d.client.MemberPromote(short, member.ID)
			cancel()
			if err != nil {
				parts.LogInfo("Learner %x cannot be promoted yet: %v", member.ID, err)
				d.evictStalled(ctx, member, firstSeen)
				continue
			}
			parts.LogInfo("Promoted learner %s", member.Name)
		}
	}
}

// evictStalled removes a learner that could not be promoted for five minutes,
// so that others can join.
func (d *database) evictStalled(ctx context.Context, member *etcdserverpb.Member, firstSeen map[uint64]time.Time) {
	if firstSeen[member.ID].IsZero() {
		firstSeen[member.ID] = time.Now()
	}
	if time.Since(firstSeen[member.ID]) < learnerMaxStall {
		return
	}
	parts.LogWarning("Removing learner %x: it made no progress for %v", member.ID, learnerMaxStall)
	short, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := d.client.MemberRemove(short, member.ID); err != nil {
		parts.LogWarning("Failed to remove learner %x: %v", member.ID, err)
	}
}

func (d *database) members(ctx context.Context) ([]*etcdserverpb.Member, error) {
	short, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	response, err := d.client.MemberList(short)
	if err != nil {
		return nil, err
	}
	return response.Members, nil
}

func (d *database) clientAddresses(ctx context.Context) ([]string, error) {
	if d.etcd == nil {
		return nil, errors.New("etcd is not started")
	}
	members, err := d.members(ctx)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, member := range members {
		if !member.IsLearner {
			addresses = append(addresses, member.ClientURLs...)
		}
	}
	return addresses, nil
}

// removePeer removes the member of that name and address, after its leadership
// was moved to another one. It may be this server's own.
func (d *database) removePeer(ctx context.Context, name, address string) error {
	ctx, cancel := context.WithTimeout(ctx, memberRemovalTimeout)
	defer cancel()
	members, err := d.members(ctx)
	if err != nil {
		return err
	}
	isIt := func(member *etcdserverpb.Member) bool {
		return member.Name == name && slices.ContainsFunc(member.PeerURLs, func(peer string) bool {
			parsed, err := url.Parse(peer)
			return err == nil && parsed.Hostname() == address
		})
	}
	index := slices.IndexFunc(members, isIt)
	if index < 0 {
		return nil
	}
	member := members[index]
	if uint64(d.etcd.Server.Leader()) == member.ID {
		other := slices.IndexFunc(members, func(other *etcdserverpb.Member) bool { return !other.IsLearner && other.ID != member.ID })
		if other < 0 {
			return rpctypes.ErrMemberNotEnoughStarted
		}
		if err := d.moveLeader(ctx, member, members[other]); err != nil {
			return err
		}
	}
	parts.LogInfo("Removing name=%s id=%d address=%s from etcd", member.Name, member.ID, address)
	_, err = d.client.MemberRemove(ctx, member.ID)
	if errors.Is(err, rpctypes.ErrMemberNotFound) {
		return nil
	}
	return err
}

// moveLeader asks the leader itself: no other member can.
func (d *database) moveLeader(ctx context.Context, from, to *etcdserverpb.Member) error {
	client, err := d.remoteClient(from.ClientURLs)
	if err != nil {
		return err
	}
	defer client.Close()
	parts.LogInfo("Moving etcd cluster leader from %s to %s", from.Name, to.Name)
	_, err = client.MoveLeader(ctx, to.ID)
	return err
}

// watchEnd sees etcd end by itself, as it does when this member was removed
// from the cluster. The tombstone makes the next start join anew; until then
// the process goes on without etcd, and without an API that needs it.
func (d *database) watchEnd() {
	<-d.etcd.Server.StopNotify()
	if d.server.stopping.Load() {
		return
	}
	tombstone := filepath.Join(d.folder(), "tombstone")
	if err := os.WriteFile(tombstone, nil, 0o600); err != nil {
		parts.Fatal("Failed to write tombstone file to %s: %v", tombstone, err)
	}
	d.etcd.Close()
	if d.server.cancelAPI != nil {
		d.server.supervisor.api.Store(nil)
		d.server.cancelAPI()
	}
	parts.LogInfo("This node has been removed from the cluster - please restart k3s to rejoin the cluster")
}

func (d *database) hasTombstone() bool {
	_, err := os.Stat(filepath.Join(d.folder(), "tombstone"))
	return err == nil
}

func (d *database) hasData() bool {
	_, err := os.Stat(filepath.Join(d.folder(), "member", "wal"))
	return err == nil
}

// loadBootstrap reads the shared data from the local member, without need of a quorum.
func (d *database) loadBootstrap(ctx context.Context, password string) (bootstrapData, error) {
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var options []clientv3.OpOption
	if !d.server.external { // kine knows no such reads
		options = append(options, clientv3.WithSerializable())
	}
	response, err := d.client.Get(short, bootstrapKey, options...)
	if err != nil {
		return nil, err
	}
	if len(response.Kvs) == 0 || len(response.Kvs[0].Value) == 0 { // an empty one is a lock
		return nil, nil
	}
	return decryptBootstrapData(response.Kvs[0].Value, password)
}

func (d *database) storeBootstrap(ctx context.Context, data bootstrapData, password string) error {
	sealed, err := data.encrypt(password)
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return d.put(short, bootstrapKey, string(sealed))
}

// put writes a key by comparing its revision: kine has no other way to change
// one that is there.
func (d *database) put(ctx context.Context, key, value string) error {
	for {
		present, err := d.client.Get(ctx, key)
		if err != nil {
			return err
		}
		var revision int64
		if len(present.Kvs) > 0 {
			revision = present.Kvs[0].ModRevision
		}
		written, err := d.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", revision)).
			Then(clientv3.OpPut(key, value)).Else(clientv3.OpGet(key)).Commit()
		if err != nil || written.Succeeded {
			return err
		}
	}
}

// shareNames tells the other servers the names of this one's certificate and
// calls back with the names of all, now and whenever they change: k3s has one
// certificate for all servers.
func (d *database) shareNames(ctx context.Context, names []string, changed func([]string)) {
	if err := d.put(ctx, sanPrefix+d.server.settings.nodeName, strings.Join(names, ",")); err != nil {
		parts.LogWarning("Failed to share certificate names: %v", err)
	}
	read := func() {
		response, err := d.client.Get(ctx, sanPrefix, clientv3.WithPrefix())
		if err != nil {
			return
		}
		var all []string
		for _, pair := range response.Kvs {
			all = append(all, strings.Split(string(pair.Value), ",")...)
		}
		changed(parts.UniqueSorted(all))
	}
	read()
	for range d.client.Watch(ctx, sanPrefix, clientv3.WithPrefix()) {
		read()
	}
}
