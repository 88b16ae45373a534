package main

import (
	"context"
	"os"
	"time"

	"towline.lab/parts"
)

// migrateToEtcd turns the data behind a sqlite server into embedded etcd's:
// the one member keeps its data and gets a peer address of its own. k3s
// leaves state.db.migrated beside db/etcd.
func (s *server) migrateToEtcd() error {
	from := s.database.folder()
	s.sqlite = false
	if err := os.Rename(from, s.database.folder()); err != nil {
		return err
	}
	if err := os.Remove(s.settings.serverDir("db", "etcd", "name")); err != nil {
		return err
	}
	parts.LogInfo("Migrating content from sqlite to etcd")
	s.database.migrating = true
	return os.Rename(s.settings.serverDir("db", "state.db"), s.settings.serverDir("db", "state.db.migrated"))
}

// finishMigration gives the only member the peer address by which others reach it.
func (d *database) finishMigration(ctx context.Context) error {
	for ctx.Err() == nil && d.etcd.Server.Leader() == 0 {
		time.Sleep(50 * time.Millisecond)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := d.client.MemberUpdate(short, uint64(d.etcd.Server.MemberID()), []string{d.peerURL()})
	return err
}
